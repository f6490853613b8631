"""A JACK server with the dummy driver, for programs that are to be heard by others on a machine without sound."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from improv.bench.environment import environment
from improv.errors import ImprovError

RATE = 48000  # Hz
PATIENT = ("-S", "-t", "10")  # rather than lose messages the server waits, ten times so many milliseconds at most


def jack_is_installed() -> bool:
    """Whether a server can be run here."""
    return all(shutil.which(tool) for tool in ("jackd", "jack_wait"))


@contextmanager
def jack_server(period: int, *options: str, realtime: bool = False) -> Iterator[None]:
    """Runs a server of its own with `period` samples a cycle, before ordinary programs where `realtime`.

    Meanwhile this process and its children find it, and improv chooses it.

    Raises:
        ImprovError: it does not start.
    """
    name = f"improv-benchmark-{os.getpid()}"
    found = {"JACK_DEFAULT_SERVER": name, "JACK_NO_START_SERVER": "1", "IMPROV_MIDI": "jack"}
    place = "-R" if realtime else "-r"
    command = ["jackd", *options, place, "-n", name, "-d", "dummy", "-r", str(RATE), "-p", str(period)]
    with environment(found):
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            waiting = subprocess.run(["jack_wait", "-s", name, "-w", "-t", "10"], capture_output=True, check=False)
            if waiting.returncode:
                raise ImprovError("jackd does not run here: see what `jackd -d dummy` says")
            yield
        finally:
            server.terminate()
            server.wait()

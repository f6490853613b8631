"""A JACK server with the dummy driver, for programs that are to be heard by others on a machine without sound."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

RATE = 48000  # Hz


@contextmanager
def jack_server(period: int, *options: str) -> Iterator[None]:
    """Runs a server of its own with `period` samples a cycle; this process and its children find it."""
    name = f"improv-benchmark-{os.getpid()}"
    os.environ |= {"JACK_DEFAULT_SERVER": name, "JACK_NO_START_SERVER": "1", "IMPROV_MIDI": "jack"}
    command = ["jackd", *options, "-r", "-n", name, "-d", "dummy", "-r", str(RATE), "-p", str(period)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        subprocess.run(["jack_wait", "-s", name, "-w", "-t", "10"], check=True, capture_output=True)
        yield
    finally:
        server.terminate()
        server.wait()

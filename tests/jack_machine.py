"""A real JACK server of the tests' own, and other programs to be connected to."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

PATIENCE = 60.0  # seconds: far beyond what anything takes, on a machine busy with other work


def eventually(condition: Callable[[], object], patience: float = PATIENCE) -> bool:
    """Whether `condition` comes true in time."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def missing(why: str) -> None:
    """Skip for want of `why`; fail where the tests are a gate."""
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


class JackServer:
    """A jackd with the dummy driver under a name of its own.

    Attributes:
        name: the server's name.
        env: an environment in which clients find it, and improv chooses JACK.
    """

    def __init__(self) -> None:
        self.name = f"improv-test-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        self.env = {
            **os.environ,
            "JACK_DEFAULT_SERVER": self.name,
            "JACK_NO_START_SERVER": "1",
            "IMPROV_MIDI": "jack",
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the server

    def start(self) -> None:
        """Start it, unless it runs, and wait until it answers."""
        if self._process is not None and self._process.poll() is None:
            return
        # Synchronous: otherwise JACK drops and repeats messages whenever the machine is too busy to keep its cycle.
        # Short of patience: it waits ten times its timeout for a client that misses a cycle, as newcomers do.
        command = ["jackd", "-S", "-t", "10", "-r", "-n", self.name, "-d", "dummy", "-r", "48000", "-p", "64"]
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        wait = ["jack_wait", "-s", self.name, "-w", "-t", "60"]
        waited = subprocess.run(wait, capture_output=True, env=self.env, timeout=90, check=False)
        if waited.returncode or self._process.poll() is not None:
            self._log.seek(0)
            missing(f"jackd does not run here: {self._log.read().decode(errors='replace').strip().splitlines()[-1:]}")

    def kill(self) -> None:
        """End it as a crash would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        """Bring it back under the same name."""
        self.start()

    @contextlib.contextmanager
    def stalled(self) -> Iterator[None]:
        """While in the `with`, it lives but does not cycle, as when its sound card has been pulled out."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it in good order: a killed server would occupy one of the eight places JACK has on a machine."""
        self.start()
        assert self._process is not None
        self._process.terminate()
        self._process.wait(10)
        self._log.close()

    def ports(self) -> list[str]:
        """Every port, as `client:port`."""
        return self._tool("jack_lsp").stdout.split("\n")[:-1]

    def connections(self, port: str) -> list[str]:
        """What `port` is connected to."""
        lines = self._tool("jack_lsp", "-c", port).stdout.split("\n")
        return [line.strip() for line in lines if line.startswith(" ")]

    def connect(self, source: str, target: str) -> None:
        """Lay a cable."""
        done = self._tool("jack_connect", source, target)
        assert done.returncode == 0, f"{source} -> {target}: {done.stderr}, there is {self.ports()}"

    def _tool(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, capture_output=True, text=True, env=self.env, timeout=PATIENCE, check=False)


class MidiPeer:
    """Another program with one JACK MIDI port.

    Attributes:
        port: the port's full name, NAME:out where it plays, NAME:in where it records.
        received: what it has recorded so far.
    """

    def __init__(self, role: str, name: str) -> None:
        self.port = f"{name}:{'out' if role == 'play' else 'in'}"
        self.received: list[bytes] = []
        script = Path(__file__).parent / "live" / "midi_peer.py"
        self._process = subprocess.Popen(
            [sys.executable, str(script), role, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def send(self, *messages: bytes) -> None:
        """Play the messages, in order."""
        assert self._process.stdin is not None
        self._process.stdin.writelines(f"{message.hex()}\n" for message in messages)
        self._process.stdin.flush()

    def close(self) -> None:
        """End it in good order; its port goes as a keyboard's does when it is unplugged."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE)

    def kill(self) -> None:
        """End it as a crash would."""
        self._process.kill()
        self._process.wait()

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.received.append(bytes.fromhex(line))

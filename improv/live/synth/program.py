"""A program that sounds, in a child process, fed through a pipe. A loop that sends to it never waits for it."""

import contextlib
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from improv.errors import ImprovError
from improv.live.priority import ordinary
from improv.live.synth.midi import is_channel_message

READY = "ready"
FAILED = "failed: "
START_SECONDS, CLOSE_SECONDS = 20.0, 3.0
PRIORITY = 1  # real-time: above ordinary work, below the engine's loop


@dataclass(frozen=True)
class Program:
    """A program that plays what it reads on its standard input and ends when that closes.

    Attributes:
        label: its name in messages to the user.
        command: how to start it.
        encode: a channel message as the program reads it.
        environment: added to this process's.
        greeting: written first; the program must then answer with the line READY, or `FAILED` and the reason.
        farewell: written last; releases every note.
        lost: what it prints when it has lost its sound device but runs on.
    """

    label: str
    command: list[str]
    encode: Callable[[bytes], bytes] = bytes
    environment: Mapping[str, str] = field(default_factory=dict)
    greeting: bytes = b""
    farewell: bytes = b""
    lost: str | None = None


class RunningProgram:
    """An instrument that runs and sounds here. Two threads, one for each direction, wait in the engine's place.

    Args:
        program: the instrument.
        on_end: called, on a thread of its own, when it ends or loses its sound device by itself.

    Raises:
        ImprovError: the program can't sound here.
    """

    def __init__(self, program: Program, on_end: Callable[[], object]) -> None:
        self.label = program.label
        self._program = program
        self._on_end = on_end
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._answered = threading.Event()
        self._ready = self._closing = False
        self._reason = f"{program.label} does not start"
        self._process = _start(program)
        self._queue.put(program.greeting)
        self._reader = threading.Thread(target=self._read, name="synth-reader", daemon=True)
        self._reader.start()
        threading.Thread(target=self._write, name="synth-writer", daemon=True).start()
        self._answered.wait(START_SECONDS)
        if not self._ready:
            self.close()
            raise ImprovError(f"no sound can be played here: {self._reason}")

    @property
    def connected(self) -> bool:
        """Whether what is sent sounds."""
        return self._ready and not self._closing and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Process id of the instrument."""
        return self._process.pid

    def send(self, message: bytes) -> None:
        """Play one raw channel message; anything else is passed over. Never waits, never raises."""
        if is_channel_message(message):
            self._queue.put(self._program.encode(message))

    def close(self) -> None:
        """Release every note, let them fade and end the process; once closed, closing again does nothing."""
        self._closing = True
        self._queue.put(self._program.farewell)
        self._queue.put(None)
        try:
            self._process.wait(CLOSE_SECONDS if self._ready else 0.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(CLOSE_SECONDS)

    def _write(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError), self._process.stdin as pipe:
            while (data := self._queue.get()) is not None:
                pipe.write(data)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as pipe:
            for line in pipe:
                self._hear(line.decode(errors="replace").strip().removeprefix("> "))  # a shell's prompt
        self._process.wait()
        self._answered.set()
        if self._ready and not self._closing:
            self._on_end()

    def _hear(self, line: str) -> None:
        if line == READY:
            self._ready = True
            self._answered.set()
        elif line.startswith(FAILED):
            self._reason = line.removeprefix(FAILED)
        elif self._program.lost is not None and self._program.lost in line:
            self._process.kill()


def _start(program: Program) -> subprocess.Popen[bytes]:
    try:
        with ordinary():  # it asks for its own priority, and has much to load before
            return subprocess.Popen(
                program.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                env={**os.environ, **program.environment},
                start_new_session=sys.platform
                != "win32",  # Ctrl+C must not cut off what the engine is about to release
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
    except OSError as error:
        raise ImprovError(f"{program.label} does not start: {error}") from error

"""improv as its users run it, `improv play --headless` in a process of its own, and a listener at its output."""

import contextlib
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType

from jack_machine import PATIENCE, eventually
from processes import alive, children
from timing import BAR_SECONDS, MANY

OUTPUT, INPUT = "improv:out", "improv in:in"  # as JACK names improv's ports
SLOW = 120.0  # seconds: a start loads torch


class Fault:
    """What goes wrong in the `with`.

    Attributes:
        began, over: the moments on time.monotonic's clock.
    """

    def __init__(self) -> None:
        self.began, self.over = -math.inf, math.inf

    def __enter__(self) -> "Fault":
        self.began = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.over = time.monotonic()

    @property
    def settled(self) -> float:
        """A bar later, when all must be well again."""
        return self.over + BAR_SECONDS


class Listener:
    """Another program that improv plays to.

    Attributes:
        heard: (seconds, message) of all that came; the seconds are exact, and counted from the first message.
    """

    def __init__(self, name: str = "listener") -> None:
        self.heard: list[tuple[float, bytes]] = []
        self._first = math.inf  # when that was, on time.monotonic's clock, as near as is known
        self._attached = threading.Event()
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("jam_peer.py")), name, OUTPUT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def attach(self) -> None:
        """Waits for improv's port, and for the cable to it."""
        assert self._attached.wait(SLOW)

    @property
    def notes(self) -> list[tuple[float, int, int]]:
        """(seconds, pitch, velocity) of every note message; velocity 0 ends a note."""
        kept = [(at, m) for at, m in list(self.heard) if m[0] & 0xF0 in (0x80, 0x90)]
        return [(at, m[1], m[2] if m[0] & 0xF0 == 0x90 else 0) for at, m in kept]

    @property
    def onsets(self) -> list[tuple[float, int]]:
        """(seconds, pitch) of every note that began."""
        return [(at, pitch) for at, pitch, velocity in self.notes if velocity]

    def moments(self, since: float = -math.inf, until: float = math.inf) -> list[float]:
        """When notes began, in seconds of time.monotonic, by the listener's own clock."""
        return [self._first + at for at, _ in self.onsets if since <= self._first + at < until]

    @property
    def sounding(self) -> set[int]:
        """The pitches whose note-off has not come; only note-offs count, not the controllers that silence all."""
        return sounding(message for _, message in list(self.heard))

    def hears_more(self, notes: int = 1, patience: float = SLOW) -> bool:
        """Whether so many more notes begin from now on."""
        so_far = len(self.onsets)
        return eventually(lambda: len(self.onsets) >= so_far + notes, patience)

    def hears_it_go_on(self, after: Fault) -> bool:
        """Whether many notes begin once a bar has passed."""
        return eventually(lambda: len(self.moments(after.settled)) >= 2 * MANY, SLOW)

    def close(self) -> None:
        """Unplugs it; `heard` is complete then."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:  # its server has died under it
            self._process.kill()
            self._process.wait()
        self._reader.join(PATIENCE)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line == "attached\n":
                self._attached.set()
            else:
                seconds, told, message = line.split()
                self._first = min(self._first, float(told) - float(seconds))  # what is told is never told early
                self.heard.append((float(seconds), bytes.fromhex(message)))


class Jam:
    """A running `improv play --headless`. Leaving the `with` ends it, and no process of it may be left then.

    Attributes:
        said: its lines on standard error.

    Args:
        options: of the command.
        within: a command that runs the one that is given to it.
    """

    def __init__(self, *options: object, within: Sequence[str] = ()) -> None:
        self.said: list[str] = []
        command = [*within, sys.executable, "-m", "improv", "play", "--headless", *map(str, options)]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> "Jam":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        family = self.family
        if self.process.poll() is None:
            self.end()
        if kind is None:
            assert eventually(lambda: not any(map(alive, family))), f"still there: {family}"

    def says(self, text: str, patience: float = SLOW) -> bool:
        """Whether it says a line with `text`, or has already."""
        return eventually(lambda: any(text in line for line in list(self.said)), patience)

    @property
    def family(self) -> list[int]:
        """Its processes, itself first, then the engine, then what the engine has started."""
        pids = [self.process.pid]
        for pid in pids:
            pids += children(pid)
        return pids

    @property
    def engine(self) -> int:
        """Process id of its engine."""
        return self.family[1]

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """Sends it a signal; returns its exit status."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Its exit status, once it has ended by itself."""
        try:
            status = self.process.wait(SLOW)
        except subprocess.TimeoutExpired:
            for pid in reversed(self.family):
                os.kill(pid, signal.SIGKILL)
            raise
        self._reader.join(PATIENCE)
        return status

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line.rstrip("\n"))


def kept_in(taken: Sequence[float], heard: int) -> bool:
    """Whether a take with onsets at the beats `taken` has all notes that were heard: an engine that is killed at a
    tick may have sent a note of that it has not kept, or kept one that it has not sent."""
    return abs(len(taken) - heard) <= taken.count(taken[-1])


def sounding(messages: Iterable[bytes]) -> set[int]:
    """The pitches whose note-off is not among `messages`; only note-offs count."""
    pitches: set[int] = set()
    for message in messages:
        if message[0] & 0xF0 in (0x80, 0x90):
            (pitches.add if message[0] & 0xF0 == 0x90 and message[2] else pitches.discard)(message[1])
    return pitches

"""The output `synth`: an instrument that is begun again when it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable

from improv.errors import ImprovError
from improv.live.messages import Notice, Problem
from improv.live.synth.program import Program, RunningProgram

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 16.0  # seconds between attempts; each is longer, for each costs a second of computing


class SynthOutput:
    """An open output that sounds here, or will again: when its sound device or server is back, so is it.

    Args:
        program: the instrument.
        tell: told when it falls silent and when it sounds again; called from a thread of its own.

    Raises:
        ImprovError: the program can't sound here.
    """

    def __init__(self, program: Program, tell: Callable[[Problem | Notice], object]) -> None:
        self._program = program
        self._tell = tell
        self._closing = threading.Event()
        self._ended = threading.Event()
        self._swapping = threading.Lock()
        self._instrument = RunningProgram(program, self._ended.set)
        threading.Thread(target=self._watch, name="synth", daemon=True).start()

    @property
    def label(self) -> str:
        """What it is called in messages to the user."""
        return self._program.label

    @property
    def connected(self) -> bool:
        """Whether what is sent sounds."""
        return self._instrument.connected

    @property
    def pid(self) -> int:
        """Process id of the instrument."""
        return self._instrument.pid

    def send(self, message: bytes) -> None:
        """Play one raw channel message, where it sounds; anything else is passed over. Never waits, never raises."""
        if not self._ended.is_set():
            self._instrument.send(message)

    def close(self) -> None:
        """Release every note, let them fade and end the process; once closed, closing again does nothing."""
        self._closing.set()
        self._ended.set()
        with self._swapping:
            self._instrument.close()

    def _watch(self) -> None:
        while self._ended.wait() and not self._closing.is_set():
            text = f"synth is silent: {self.label} has lost its sound device; it will be tried again"
            self._tell(Problem(text, about="synth"))
            if self._begin_again():
                self._tell(Notice("synth sounds again", about="synth"))

    def _begin_again(self) -> bool:
        pause = FIRST_PAUSE
        while not self._closing.wait(pause):
            pause = min(2 * pause, LONGEST_PAUSE)
            self._ended.clear()
            try:
                instrument = RunningProgram(self._program, self._ended.set)
            except ImprovError:
                self._ended.set()
                continue
            with self._swapping:
                if not self._closing.is_set():
                    self._instrument = instrument
                    return True
            instrument.close()
        return False

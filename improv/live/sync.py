"""Following another program's beat: MIDI clock, 24 pulses a quarter note, with start, stop and song position."""

from __future__ import annotations

import math
from enum import IntEnum

SYNCS = {
    "internal": "improv keeps the beat",
    "midi": "follows the MIDI clock at the input: its tempo, its beat, its start and stop",
}
"""What can keep the beat, and what that means."""

PULSES = 24  # a quarter note
PULSES_OF_POSITION = 6  # the unit of the song position pointer, a sixteenth
LOST_SECONDS = 0.3  # without a pulse; at 20 BPM one comes every 0.125 s

SMOOTH = 0.93  # what a pulse weighs against the next one, once the line is known
BURST_SECONDS = 0.002  # pulses closer than this waited for somebody: they count, but say nothing about the tempo
STRAY_SECONDS = 0.015  # off the line, or half a pulse where that is more: not jitter any more
LOCK = 4  # pulses that make a line; and those that stray in a row: the tempo has changed
PERIODS = (60 / 400 / PULSES, 60 / 15 / PULSES)  # seconds between pulses that can be a tempo


class Kind(IntEnum):
    """The first byte of a clock's message."""

    POSITION = 0xF2
    PULSE = 0xF8
    START = 0xFA
    CONTINUE = 0xFB
    STOP = 0xFC


class Line:
    """The straight line through the moments of pulses: when the last one was due, and how long they are apart.

    A polynomial filter of the first degree (Morrison, Introduction to Sequential Smoothing and Prediction, 1969): least
    squares over all pulses while they are few, then with a memory that fades. A sudden change of tempo begins anew.

    Attributes:
        at: the moment of the last pulse, freed from jitter, in seconds.
        period: seconds from one pulse to the next.
    """

    def __init__(self) -> None:
        self.at = self.period = 0.0
        self._count = 0
        self._last = 0.0
        self._strays: list[float] = []

    @property
    def locked(self) -> bool:
        """Whether enough pulses lie on it."""
        return self._count >= LOCK

    @property
    def tempo(self) -> float:
        """BPM, where it is locked."""
        return 60 / (PULSES * self.period)

    def pulse(self, at: float) -> None:
        """A pulse came at the moment `at`."""
        due = self.at + self.period
        waited, self._last = at - self._last < BURST_SECONDS, at
        if not self.locked:
            self._draw(at)
        elif waited:
            self.at = due
        elif abs(at - due) > max(STRAY_SECONDS, self.period / 2):
            self._stray(at, due)
        else:
            self._strays.clear()
            self._draw(at)

    def _draw(self, at: float) -> None:
        """Takes the moment of one more pulse into the line."""
        n, due = self._count, self.at + self.period
        area = (n + 1) * (n + 2)
        self.at = due + max((4 * n + 2) / area, 1 - SMOOTH**2) * (at - due)
        self.period += max(6 / area, (1 - SMOOTH) ** 2) * (at - due) if n else 0.0
        self._count += 1
        if self.locked and not PERIODS[0] < self.period < PERIODS[1]:
            self._begin([])

    def _stray(self, at: float, due: float) -> None:
        """The pulse is off the line: the line goes on, until so many have strayed that theirs is the better one."""
        self.at = due
        self._strays.append(at)
        if len(self._strays) < LOCK:
            return
        strays, self._strays = self._strays, []
        if PERIODS[0] < (strays[-1] - strays[0]) / (LOCK - 1) < PERIODS[1]:
            self._begin(strays)

    def _begin(self, pulses: list[float]) -> None:
        self.at = self.period = 0.0
        self._count = 0
        for at in pulses:
            self._draw(at)


class MidiClock:
    """What another program's clock says: where its song is and how fast it goes. Pure: it only knows what it is told.

    Attributes:
        running: whether its song runs, between its start or continue message and its stop.
    """

    def __init__(self) -> None:
        self.running = False
        self._position = 0  # the pulse with which the song starts or continues
        self._number: int | None = None  # of the last pulse in the song; None where nobody has said it
        self._line = Line()
        self._last = math.inf
        self._due = -math.inf  # the moment that a song at the fastest tempo would have needed for the pulses so far

    @property
    def locked(self) -> bool:
        """Whether its tempo is known."""
        return self._line.locked

    @property
    def tempo(self) -> float:
        """BPM, where it is locked."""
        return self._line.tempo

    @property
    def lost_at(self) -> float:
        """The moment at which it must be taken for lost if no pulse comes before: infinite where none is expected,
        minus infinity where a flood of pulses has come."""
        return self._last + LOST_SECONDS

    def hear(self, at: float, message: bytes) -> None:
        """A message that came at the moment `at`."""
        match message[0]:
            case Kind.PULSE:
                self._pulse(at)
            case Kind.POSITION:
                self._position = PULSES_OF_POSITION * (message[1] | message[2] << 7)
            case Kind.START:
                self._position = 0
                self._run()
            case Kind.CONTINUE:
                self._run()
            case Kind.STOP:
                self._position = self._position if self._number is None else self._number + 1
                self.running, self._number = False, None

    def lose(self) -> None:
        """No pulse has come for too long, or far too many have: where its song is now nobody knows."""
        self._line, self._last = Line(), math.inf
        self.uncount()

    def uncount(self) -> None:
        """Forgets where its song is."""
        self._number = None

    def beat_at(self, seconds: float) -> float | None:
        """The song's beat at a moment, where it is known."""
        if self._number is None:
            return None
        if not self.locked:
            return (self._number + 1) / PULSES
        return (self._number + self._pulses_since(seconds)) / PULSES

    def count(self, beat: float, seconds: float) -> float:
        """The song's beat at a moment, where it is locked. Where that is not known, from now on it is the one nearest
        to `beat` that has a pulse."""
        if self._number is None:
            self._number = round(beat * PULSES - self._pulses_since(seconds))
        return (self._number + self._pulses_since(seconds)) / PULSES

    def _pulse(self, at: float) -> None:
        """Counts a pulse, unless more have come than any tempo has: that is no clock, so it must be taken for lost."""
        self._due = max(self._due, at) + PERIODS[0]
        if self._due - at > LOST_SECONDS:  # a clock whose pulses had waited for so long was lost already
            self._due, self._last = at + LOST_SECONDS, -math.inf
        if self._last == -math.inf:
            return
        self._last = at
        self._line.pulse(at)
        if self._number is not None:
            self._number += 1

    def _run(self) -> None:
        """The next pulse is the one at the position."""
        self.running, self._number = True, self._position - 1

    def _pulses_since(self, seconds: float) -> float:
        return (seconds - self._line.at) / self._line.period

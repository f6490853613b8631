"""Time: a monotonic clock in seconds, and the timeline that gives it musical meaning.

Everything is stamped by one clock. A loop never counts its own sleeps: it asks when a beat is due and waits until then.
"""

import heapq
import itertools
import math
import queue
import time
from collections import deque
from typing import Any, Protocol

PULL_BEATS = 0.5  # in which most of the distance to a beat that is followed is made up
SLOWEST, FASTEST = 0.01, 2.0  # times the tempo, meanwhile
SPIN = 0.0005  # seconds before a moment from which waiting is done awake: a sleeping thread wakes that late


class Inbox(Protocol):
    """Where the other threads put what the loop must know."""

    def put(self, item: Any) -> None:
        """Adds `item`; never blocks."""


class Clock(Protocol):
    """A clock that can wait."""

    @property
    def inbox(self) -> Inbox:
        """The inbox whose items end a wait."""

    def now(self) -> float:
        """Seconds on the monotonic clock."""

    def wait(self, until: float) -> Any:
        """The next item of the inbox as soon as there is one, else None at `until`."""


class RealClock:
    """time.perf_counter, and a thread-safe inbox."""

    def __init__(self) -> None:
        self.inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def now(self) -> float:
        """Seconds on the monotonic clock."""
        return time.perf_counter()

    def wait(self, until: float) -> Any:
        """See Clock."""
        while True:
            left = until - time.perf_counter()
            try:
                if left <= SPIN:
                    return self.inbox.get_nowait()
                return self.inbox.get(timeout=left - SPIN)
            except queue.Empty:
                if left <= 0:
                    return None


class VirtualClock:
    """A clock for tests and simulation: time passes only in `wait`, at once. Items can be put at times to come."""

    def __init__(self) -> None:
        self._now = 0.0
        self._order = itertools.count()
        self._items: list[tuple[float, int, Any]] = []

    @property
    def inbox(self) -> Inbox:
        """The clock is its own inbox."""
        return self

    def now(self) -> float:
        """Seconds since it was made."""
        return self._now

    def put(self, item: Any, at: float = 0.0) -> None:
        """`item` arrives at the time `at`, or now where that has passed."""
        heapq.heappush(self._items, (max(at, self._now), next(self._order), item))

    def wait(self, until: float) -> Any:
        """See Clock."""
        if self._items and self._items[0][0] <= max(until, self._now):
            self._now, _, item = heapq.heappop(self._items)
            return item
        self._now = max(self._now, until)
        return None


class Timeline:
    """Musical time: beats as a function of the clock's seconds, linear between changes of tempo.

    Every beat follows from the last change by one multiplication, so nothing adds up to a drift.
    """

    REMEMBERED = 64  # tempo changes, for events that were stamped before the latest

    def __init__(self, start: float, tempo: float) -> None:
        """Beat 0 is at `start` seconds; `tempo` in BPM."""
        self._stretches = deque([(start, 0.0, tempo)], maxlen=self.REMEMBERED)

    @property
    def tempo(self) -> float:
        """BPM, now."""
        return self._stretches[-1][2]

    def beat_at(self, seconds: float) -> float:
        """The beat at a moment, past or to come."""
        stretches = reversed(self._stretches)
        start, beat, tempo = next((s for s in stretches if seconds >= s[0]), self._stretches[0])
        return beat + (seconds - start) * tempo / 60

    def seconds_at(self, beat: float) -> float:
        """The moment of a beat, if the tempo stays."""
        start, anchor, tempo = self._stretches[-1]
        return start + (beat - anchor) * 60 / tempo

    def set_tempo(self, tempo: float, now: float) -> None:
        """The tempo is `tempo` BPM from the moment `now` on; the beat goes on without a jump."""
        if tempo != self.tempo:
            self._stretches.append((now, self.beat_at(now), tempo))

    def approach(self, beat: float, tempo: float, now: float) -> None:
        """Draws nearer to another's beat, which is at `beat` and goes at `tempo` BPM, from the moment `now` on.

        The beat goes on without a jump, a little faster or slower; where it is far ahead it all but waits.
        """
        pull = math.exp(min((beat - self.beat_at(now)) / PULL_BEATS, math.log(FASTEST)))
        self.set_tempo(tempo * max(pull, SLOWEST), now)

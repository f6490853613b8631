"""Musical time between two reports of the engine, so that the roll scrolls smoothly."""

_STALE = 1.0
"""Seconds without a report after which the beat stands still rather than being guessed."""


class BeatClock:
    """Follows the reported beat: runs on at the reported tempo, and drifts into a report instead of jerking to it."""

    def __init__(self) -> None:
        self._beat, self._moment, self._rate = 0.0, 0.0, 0.0

    def report(self, beat: float, tempo: float, moment: float) -> None:
        """The engine stood at `beat` when its report came at `moment` (seconds); `tempo` in BPM, 0 while stopped."""
        off = beat - self.at(moment)
        # A report waits up to one poll before it is read; half a beat off is a jump, not such a delay.
        follows = tempo > 0 and self._rate > 0 and abs(off) < 0.5
        self._beat = beat - off * 0.8 if follows else beat
        self._moment, self._rate = moment, tempo / 60

    def at(self, moment: float) -> float:
        """The beat at `moment`, in seconds of the clock that `report` was given."""
        return self._beat + min(moment - self._moment, _STALE) * self._rate

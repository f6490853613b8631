"""From the player's notes, stamped in beats, to frames."""

import math
from dataclasses import dataclass

from improv.music.pianoroll import SOUNDING, STRUCK, Frame, silence


@dataclass
class _Held:
    """A note of the player: the frame it is struck in, and the first frame in which it no longer sounds."""

    column: int
    struck: int
    end: int | None = None


class Quantiser:
    """Collects the player's notes and lays them on the grid.

    Onsets and ends move to the nearest tick; every note sounds in the frame it is struck in, however short it was.
    """

    def __init__(self, grid: float, low: int, n_pitches: int) -> None:
        """`grid` in beats per frame; pitches outside low .. low + n_pitches - 1 are folded back by octaves."""
        self.grid, self.low, self.n_pitches = grid, low, n_pitches
        self._notes: list[_Held] = []
        self._down: dict[int, _Held] = {}
        self._sustained: set[int] = set()  # those of them that no hand holds
        self._last_beat = -math.inf

    def note_on(self, pitch: int, beat: float) -> None:
        """`pitch` is struck at `beat`; where it still sounds it is struck again."""
        self.note_off(pitch, beat)
        note = _Held(self._column(pitch), self.frame_at(beat))
        self._notes.append(note)
        self._down[pitch] = note
        self._last_beat = beat

    def note_off(self, pitch: int, beat: float) -> None:
        """`pitch` is released at `beat`; a release without an onset is ignored."""
        note = self._down.pop(pitch, None)
        if note is None:
            return
        note.end = max(self.frame_at(beat), note.struck + 1)
        if pitch in self._sustained:  # then it is long since a hand has played it
            self._sustained.remove(pitch)
        else:
            self._last_beat = beat

    def sustain(self, pitch: int, beat: float) -> None:
        """The key of `pitch` is let go at `beat`; the pedal holds the note until `note_off`."""
        if pitch in self._down:
            self._sustained.add(pitch)
            self._last_beat = beat

    def idle_beats(self, beat: float) -> float:
        """Beats since the player held a key; infinite before the first note."""
        return 0.0 if self._down.keys() > self._sustained else max(0.0, beat - self._last_beat)

    def frame(self, number: int) -> Frame:
        """The player's frame `number` as far as it is known, uint8 [2, n_pitches]."""
        frame = silence(self.n_pitches)
        for note in self._notes:
            if note.struck <= number and (note.end is None or number < note.end):
                frame[SOUNDING, note.column] = 1
                frame[STRUCK, note.column] |= note.struck == number
        return frame

    def forget_before(self, number: int) -> None:
        """Drops the notes that ended before frame `number`, which will not be asked for again."""
        self._notes = [note for note in self._notes if note.end is None or note.end > number]

    def frame_at(self, beat: float) -> int:
        """The number of the frame in which a note struck at `beat` begins."""
        return max(0, math.floor(beat / self.grid + 0.5))

    def _column(self, pitch: int) -> int:
        column = pitch - self.low
        if column < 0:
            column %= 12
        while column >= self.n_pitches:
            column -= 12
        return max(column, 0)

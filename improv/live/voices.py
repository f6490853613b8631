"""The partner's voices: which notes it has sounding, so that each one it began it also ends."""

from collections.abc import Callable

import numpy as np

from improv.music.meter import accent
from improv.music.pianoroll import SOUNDING, STRUCK, Frame, silence

Notes = list[tuple[int, int]]
"""Pitch and velocity of notes at one moment, in order; velocity 0 is a note-off."""

SOFTER = 6  # velocity the partner stays below the player
FOLLOW = 0.15  # how fast its dynamics follow the player's


class Voices:
    """Plays frames as notes on `sink`, and knows what sounds."""

    def __init__(self, low: int, n_pitches: int, sink: Callable[[Notes], None]) -> None:
        self._low, self._sink = low, sink
        self.sounding: set[int] = set()
        self._n_pitches = n_pitches
        self._loudness = 84.0

    def changes(self, frame: Frame, beat: float, bar_beats: float) -> Notes:
        """What must be sent when the frame at `beat` begins: the ends of what it no longer holds, then what is new or
        repeated."""
        wanted = {int(pitch) + self._low for pitch in np.flatnonzero(frame[SOUNDING])}
        struck = {int(pitch) + self._low for pitch in np.flatnonzero(frame[STRUCK])} & wanted
        end, begin = self.sounding - (wanted - struck), struck | (wanted - self.sounding)
        velocity = self._velocity(beat, bar_beats)
        return [(pitch, 0) for pitch in sorted(end)] + [(pitch, velocity) for pitch in sorted(begin)]

    def send(self, notes: Notes) -> None:
        """These begin and end, as `changes` says."""
        for pitch, velocity in notes:
            (self.sounding.add if velocity else self.sounding.discard)(pitch)
        if notes:
            self._sink(notes)

    def give_up(self, pitch: int) -> None:
        """Ends `pitch` where it sounds: the player has struck it, and it is the player's now."""
        if pitch in self.sounding:
            self.send([(pitch, 0)])

    def held(self) -> Frame:
        """What sounds, as a frame that holds it all and strikes nothing."""
        frame = silence(self._n_pitches)
        frame[SOUNDING, [pitch - self._low for pitch in self.sounding]] = 1
        return frame

    def release(self) -> None:
        """Ends everything."""
        self.send([(pitch, 0) for pitch in sorted(self.sounding)])

    def hear_velocity(self, velocity: int) -> None:
        """The player struck a note so loud, 1..127: the partner's dynamics follow."""
        self._loudness += FOLLOW * (velocity - self._loudness)

    def _velocity(self, beat: float, bar_beats: float) -> int:
        return int(min(127, max(1, round(self._loudness) - SOFTER + accent(beat, bar_beats))))

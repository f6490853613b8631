"""The partner's voices: which notes it has sounding, so that each one it began it also ends."""

from collections.abc import Callable

import numpy as np

from improv.music.pianoroll import SOUNDING, STRUCK, Frame, silence

NoteSink = Callable[[int, int], None]
"""Called with pitch and velocity; velocity 0 is a note-off."""

SOFTER = 6  # velocity the partner stays below the player
BAR_ACCENT, BEAT_ACCENT = 8, 4
FOLLOW = 0.15  # how fast its dynamics follow the player's


class Voices:
    """Plays frames as notes on `sink`, and knows what sounds."""

    def __init__(self, low: int, n_pitches: int, sink: NoteSink) -> None:
        self._low, self._sink = low, sink
        self.sounding: set[int] = set()
        self._n_pitches = n_pitches
        self._loudness = 84.0

    def play(self, frame: Frame, beat: float, bar_beats: float) -> None:
        """The frame at `beat` begins: ends what it no longer holds, then strikes what is new or repeated."""
        wanted = {int(pitch) + self._low for pitch in np.flatnonzero(frame[SOUNDING])}
        struck = {int(pitch) + self._low for pitch in np.flatnonzero(frame[STRUCK])} & wanted
        begin = sorted(struck | (wanted - self.sounding))
        for pitch in sorted(self.sounding - (wanted - struck)):
            self._sink(pitch, 0)
        velocity = self._velocity(beat, bar_beats)
        for pitch in begin:
            self._sink(pitch, velocity)
        self.sounding = wanted

    def give_up(self, pitch: int) -> None:
        """Ends `pitch` where it sounds: the player has struck it, and it is the player's now."""
        if pitch in self.sounding:
            self.sounding.remove(pitch)
            self._sink(pitch, 0)

    def held(self) -> Frame:
        """What sounds, as a frame that holds it all and strikes nothing."""
        frame = silence(self._n_pitches)
        frame[SOUNDING, [pitch - self._low for pitch in self.sounding]] = 1
        return frame

    def release(self) -> None:
        """Ends everything."""
        for pitch in sorted(self.sounding):
            self._sink(pitch, 0)
        self.sounding = set()

    def hear_velocity(self, velocity: int) -> None:
        """The player struck a note so loud, 1..127: the partner's dynamics follow."""
        self._loudness += FOLLOW * (velocity - self._loudness)

    def _velocity(self, beat: float, bar_beats: float) -> int:
        on_bar, on_beat = (abs(beat / unit - round(beat / unit)) < 1e-6 for unit in (bar_beats, 1.0))
        accent = BAR_ACCENT if on_bar else BEAT_ACCENT if on_beat else 0
        return int(min(127, max(1, round(self._loudness) - SOFTER + accent)))

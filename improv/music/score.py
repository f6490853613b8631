"""Scores: notes in musical time, and piano-rolls made from them."""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from improv.errors import ImprovError
from improv.music.pianoroll import LOW, N_PITCHES, SOUNDING, STRUCK, PianoRoll

DEFAULT_TEMPO, DEFAULT_BAR_BEATS = 120.0, 4.0
MAX_FRAMES = 1_000_000
MIN_BAR_BEATS, MAX_BAR_BEATS = 0.25, 64.0

TempoMap = Sequence[tuple[float, float]]
"""Tempo changes as (beat, BPM), in order of time. Before the first, 120 BPM."""


@dataclass(frozen=True)
class Note:
    """One note; onset and end in beats (quarter notes)."""

    onset: float
    end: float
    pitch: int
    velocity: int
    channel: int = 0
    track: int = 0


class TimeSignature(NamedTuple):
    """A bar as it is written: `numerator` notes, of which `denominator` make a whole one."""

    numerator: int
    denominator: int

    @property
    def beats(self) -> float:
        """Beats (quarter notes) in a bar."""
        return self.numerator * 4 / self.denominator

    @property
    def usual(self) -> bool:
        """Whether a MIDI file can hold it, and a bar is neither absurdly short nor absurdly long."""
        writable = 0 < self.numerator < 256 and self.denominator > 0 and self.denominator.bit_count() == 1
        return writable and MIN_BAR_BEATS <= self.beats <= MAX_BAR_BEATS


COMMON_TIME = TimeSignature(4, 4)


def in_order(notes: Iterable[Note]) -> list[Note]:
    """The notes by onset, then pitch."""
    return sorted(notes, key=lambda note: (note.onset, note.pitch))


@dataclass(frozen=True)
class Score:
    """The notes of a piece and what its file says about their time.

    Attributes:
        notes: in order of onset, then pitch.
        tempo_map: the tempo changes.
        signature: the first time signature.
    """

    notes: list[Note]
    tempo_map: TempoMap = field(default_factory=list)
    signature: TimeSignature = COMMON_TIME

    @property
    def bar_beats(self) -> float:
        """Beats in a bar."""
        return self.signature.beats

    @property
    def tempo(self) -> float:
        """The first tempo, in BPM."""
        return self.tempo_map[0][1] if self.tempo_map else DEFAULT_TEMPO

    def seconds_at(self, beat: float) -> float:
        """When `beat` comes, in seconds from the beginning."""
        since, seconds, tempo = self._stretches[max(bisect(self._stretches, (beat, math.inf)) - 1, 0)]
        return seconds + (beat - since) * 60 / tempo

    @cached_property
    def _stretches(self) -> list[tuple[float, float, float]]:
        """Each stretch of constant tempo: its first beat, when that comes in seconds, its tempo in BPM."""
        stretches = [(0.0, 0.0, DEFAULT_TEMPO)]
        for beat, bpm in self.tempo_map:
            since, seconds, tempo = stretches[-1]
            stretches.append((beat, seconds + (beat - since) * 60 / tempo, bpm))
        return stretches


def to_roll(
    score: Score, grid: float, low: int = LOW, n_pitches: int = N_PITCHES, *, keep_silence: bool = False
) -> PianoRoll:
    """The score on a grid of `grid` beats a frame, its onsets and ends moved to the nearest tick of the grid.

    Every note sounds for a frame at least and is struck where it begins. Pitches outside the range are folded into it
    by octaves. Leading bars without notes are left out, unless `keep_silence`: frame 0 lies on a bar line either way.

    Raises:
        ImprovError: the roll would be absurdly long.
    """
    first = 0.0
    if score.notes and not keep_silence:
        onset = math.floor(min(note.onset for note in score.notes) / grid + 0.5) * grid
        first = math.floor(onset / score.bar_beats + 1e-9) * score.bar_beats

    def tick(beat: float) -> int:
        return max(math.floor((beat - first) / grid + 0.5), 0)

    return PianoRoll(frames_of(score.notes, tick, low, n_pitches), grid, low, score.bar_beats)


def to_roll_seconds(score: Score, dt: float, low: int = LOW, n_pitches: int = N_PITCHES) -> PianoRoll:
    """What sounds every `dt` seconds, the tempo as the file has it: the sampling of the RNN-RBM tutorial.

    A note too short to be sampled sounds for one frame. The grid of the roll is a frame's length in beats at 120 BPM.

    Raises:
        ImprovError: the roll would be absurdly long.
    """

    def tick(beat: float) -> int:
        return math.ceil(score.seconds_at(beat) / dt - 1e-9)

    return PianoRoll(frames_of(score.notes, tick, low, n_pitches), dt * DEFAULT_TEMPO / 60, low)


def frames_of(
    notes: list[Note], tick: Callable[[float], int], low: int, n_pitches: int, shortest: int = 1
) -> NDArray[np.uint8]:
    """The frames of a piano-roll, `tick` saying in which frame a beat comes; a note lasts `shortest` frames at least.

    Raises:
        ImprovError: they would be absurdly many.
    """
    spans = []
    for note in notes:
        on = tick(note.onset)
        spans.append((on, max(tick(note.end), on + shortest), _fold(note.pitch - low, n_pitches)))
    length = max((end for _, end, _ in spans), default=0)
    if length > MAX_FRAMES:
        raise ImprovError(f"the piece is longer than {MAX_FRAMES} frames")
    frames = np.zeros((length, 2, n_pitches), np.uint8)
    for on, end, column in spans:
        if column < n_pitches and on < end:
            frames[on:end, SOUNDING, column] = 1
            frames[on, STRUCK, column] = 1
    return frames


def _fold(column: int, n_pitches: int) -> int:
    """The column an octave or more nearer where `column` is out of range; n_pitches or more where there is none."""
    if column < 0:
        return column % 12
    octaves = max(math.ceil((column - n_pitches + 1) / 12), 0)
    return column - 12 * octaves if column >= 12 * octaves else n_pitches


def roll_to_notes(roll: PianoRoll, velocity: int = 80) -> list[Note]:
    """The notes of a roll, beginning at beat 0: one for every struck pitch, lasting while the pitch is held."""
    notes = []
    for column in np.flatnonzero(roll.sounding.any(axis=0)):
        sounding, struck = roll.sounding[:, column].astype(bool), roll.struck[:, column].astype(bool)
        previous = np.concatenate([[False], sounding[:-1]])
        following = np.concatenate([~sounding[1:] | struck[1:], [True]])
        onsets, lasts = np.flatnonzero(sounding & (struck | ~previous)), np.flatnonzero(sounding & following)
        notes += [
            Note(on * roll.grid, (last + 1) * roll.grid, roll.low + int(column), velocity)
            for on, last in zip(onsets.tolist(), lasts.tolist(), strict=True)
        ]
    return in_order(notes)

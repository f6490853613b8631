"""Where a frame stands in its bar."""

import numpy as np
from numpy.typing import NDArray

from improv.music.pianoroll import PianoRoll

LONGEST = 4.0  # beats told apart in a bar; longer bars begin anew after so many
METERS = (2.0, 3.0, 4.0)  # beats in a bar that have a unit of their own; all others share one


def n_positions(grid: float) -> int:
    """Number of units that `positions` sets for frames of `grid` beats."""
    return max(1, round(LONGEST / grid)) + len(METERS) + 1


def positions(first: int, count: int, grid: float, bar_beats: float) -> NDArray[np.float32]:
    """The places in the bar of the frames `first` .. `first + count - 1`, of which number 0 is on a bar line.

    Returns:
        float32 [count, n_positions]: one unit on for the place in the bar, one for the beats in a bar.
    """
    slots = n_positions(grid) - len(METERS) - 1
    beats = (np.arange(first, first + count) * grid + 1e-6) % bar_beats % LONGEST
    units = np.zeros((count, slots + len(METERS) + 1), np.float32)
    units[np.arange(count), np.minimum((beats / grid).astype(int), slots - 1)] = 1
    units[:, slots + (METERS.index(bar_beats) if bar_beats in METERS else len(METERS))] = 1
    return units


BAR_ACCENT, BEAT_ACCENT = 8, 4  # of velocity


def accent(beat: float, bar_beats: float) -> int:
    """How much louder a note is for beginning at `beat`: on a bar line, on a beat, or between beats."""
    on_bar, on_beat = (abs(beat / unit - round(beat / unit)) < 1e-6 for unit in (bar_beats, 1.0))
    return BAR_ACCENT if on_bar else BEAT_ACCENT if on_beat else 0


BASS = 60  # chords and bass lines are struck below middle C
AGREEMENT = 0.6  # share of the bass onsets that must fall on one place in the bar


def downbeat_of(roll: PianoRoll) -> int:
    """The first frame on a bar line, by where the bass is struck; 0 where the bass says nothing clear.

    Files often begin with a pickup and do not say so: their bar lines are then beside the music's.
    """
    bar = round(roll.bar_beats / roll.grid)
    onsets = roll.struck[:, : max(0, BASS - roll.low)].sum(axis=1)
    places = np.bincount(np.arange(len(roll)) % max(1, bar), weights=onsets, minlength=1)
    clear = places.max() >= AGREEMENT * max(1, places.sum())
    return int(places.argmax()) if clear else 0

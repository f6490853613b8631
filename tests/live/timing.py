"""Whether what was heard lies on a grid, and on which.

A busy machine makes this or that note late, so it is asked of nine notes of ten and of medians, never of each note.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

FRAME, BAR = 0.25, 4.0  # beats
TEMPO = 120  # at which it plays, where nothing else is said
FRAME_SECONDS, BAR_SECONDS = FRAME * 60 / TEMPO, BAR * 60 / TEMPO
MANY = 12  # onsets: by chance they would not be on the grid
NEAR = 0.25  # frames: so near is half of what is anywhere
SAME = 0.2  # frames, between two medians


def phase(moments: Sequence[float], spacing: float) -> float:
    """Where between the lines of a grid of that spacing the moments lie: their circular median, in spacings."""
    turns = np.array(moments) / spacing
    middle = float(np.angle(np.exp(2j * np.pi * turns).mean())) / (2 * np.pi)
    return middle + float(np.median(_around(turns - middle)))


def away_from_a_grid(moments: Sequence[float], spacing: float) -> float:
    """How far most of the moments lie from the grid of that spacing that fits them best, in spacings; 0.25 is what
    chance would give."""
    turns = np.array(moments) / spacing
    return float(np.median(np.abs(_around(turns - phase(moments, spacing)))))


def same_grid(before: Sequence[float], after: Sequence[float], spacing: float = FRAME_SECONDS) -> bool:
    """Whether what was heard after a fault goes on where the grid of what was heard before it goes on."""
    apart = abs(_around(phase(after, spacing) - phase(before, spacing)))
    return min(len(before), len(after)) >= MANY and float(apart) < SAME and away_from_a_grid(after, spacing) < SAME


def in_step(beats: Sequence[float], since: float, grid: float = FRAME, bar: float = BAR) -> bool:
    """Whether the partner, whose onsets are at `beats`, is back on the grid a bar after the beat `since` at the latest,
    and stays: of what comes after that bar nine of ten are where they belong, no dozen in a row is elsewhere, and from
    `since` on no bar is left out.

    The beats are those that the engine tells and records.
    """
    heard = [since, *sorted(beat for beat in beats if beat >= since)]
    away = [abs(beat / grid - round(beat / grid)) for beat in heard[1:] if beat >= since + bar]
    return (
        len(away) >= MANY
        and max(b - a for a, b in pairwise(heard)) <= bar
        and float(np.quantile(away, 0.9)) < NEAR
        and all(np.median(dozen) < NEAR for dozen in zip(*[iter(away)] * MANY, strict=False))
    )


def burst(beats: Sequence[float], within: float = 0.4 * FRAME) -> int:
    """How many notes begin at once, at most."""
    ordered = np.sort(beats)
    return int((np.searchsorted(ordered, ordered + within) - np.arange(len(ordered))).max())


def _around(turns: np.ndarray | float) -> np.ndarray:
    """The same, but for whole turns, between -0.5 and 0.5."""
    return np.asarray((turns + 0.5) % 1 - 0.5)

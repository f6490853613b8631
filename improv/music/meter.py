"""Where a frame stands in its bar."""

import numpy as np
from numpy.typing import NDArray

LONGEST = 4.0  # beats told apart in a bar; longer bars begin anew after so many
METERS = (2.0, 3.0, 4.0)  # beats in a bar that have a unit of their own; all others share one


def n_positions(grid: float) -> int:
    """Number of units that `positions` sets for frames of `grid` beats."""
    return max(1, round(LONGEST / grid)) + len(METERS) + 1


def positions(first: int, count: int, grid: float, bar_beats: float) -> NDArray[np.float32]:
    """The places in the bar of the frames `first` .. `first + count - 1`, frame 0 being on a bar line.

    Returns:
        float32 [count, n_positions]: one unit on for the place in the bar, one for the beats in a bar.
    """
    slots = n_positions(grid) - len(METERS) - 1
    beats = (np.arange(first, first + count) * grid + 1e-6) % bar_beats % LONGEST
    units = np.zeros((count, slots + len(METERS) + 1), np.float32)
    units[np.arange(count), np.minimum((beats / grid).astype(int), slots - 1)] = 1
    units[:, slots + (METERS.index(bar_beats) if bar_beats in METERS else len(METERS))] = 1
    return units

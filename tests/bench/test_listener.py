"""What a listener can tell of the grid."""

import numpy as np
import pytest

from improv.bench.listener import lateness


def test_lateness_counts_from_the_tick_wherever_the_grid_begins() -> None:
    late = np.array([0.001, 0.0, 0.004, 0.002])
    onsets = 7.123 + 0.05 * np.array([0, 3, 4, 90]) + late
    assert lateness(onsets, 0.05) == pytest.approx(late)


def test_notes_around_the_end_of_a_frame_are_near_each_other() -> None:
    assert lateness(np.array([0.999, 1.001, 2.0]), 1.0) == pytest.approx([0.0, 0.002, 0.001])

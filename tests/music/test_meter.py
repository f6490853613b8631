"""Where a frame stands in its bar."""

import numpy as np
import pytest

from improv.music.meter import downbeat_of, n_positions, positions
from improv.music.pianoroll import PianoRoll
from improv.music.score import Note, Score, TimeSignature, to_roll

WALTZ = TimeSignature(3, 4)


def place(units: np.ndarray) -> list[int]:
    return [int(row[:16].argmax()) for row in units]


def test_sixteenths_count_through_the_bar_and_begin_anew() -> None:
    assert place(positions(0, 20, 0.25, 4.0)) == [*range(16), 0, 1, 2, 3]
    assert place(positions(0, 14, 0.25, 3.0)) == [*range(12), 0, 1]


def test_a_pickup_comes_before_the_bar_line() -> None:
    assert place(positions(-2, 4, 0.25, 4.0)) == [14, 15, 0, 1]


@pytest.mark.parametrize("grid", [0.25, 0.5, 0.6, 1.0, 8.0])
@pytest.mark.parametrize("bar_beats", [1.5, 2.0, 3.0, 3.5, 4.0, 5.0, 6.0])
def test_every_frame_has_one_place_and_one_meter(grid: float, bar_beats: float) -> None:
    units = positions(5, 50, grid, bar_beats)
    assert units.shape == (50, n_positions(grid))
    assert (units.sum(axis=1) == 2).all()


def test_meters_are_told_apart() -> None:
    meters = {tuple(positions(0, 1, 0.25, beats)[0]) for beats in (2.0, 3.0, 4.0, 3.5)}
    assert len(meters) == 4


def waltz(pickup: float) -> PianoRoll:
    """A bass note on every downbeat, the first so many beats after the file's bar line, under a running melody."""
    bass = [Note(pickup + 3 * bar, pickup + 3 * bar + 3, 43, 80) for bar in range(8)]
    melody = [Note(beat / 2, beat / 2 + 0.5, 72, 80) for beat in range(48)]
    return to_roll(Score(bass + melody, signature=WALTZ), 0.25)


@pytest.mark.parametrize("pickup", [0.0, 0.5, 1.0, 2.5])
def test_the_bass_tells_where_the_bar_lines_are(pickup: float) -> None:
    assert downbeat_of(waltz(pickup)) == round(pickup / 0.25)


def test_without_a_clear_bass_the_file_is_believed() -> None:
    melody = [Note(beat / 2, beat / 2 + 0.5, 72, 80) for beat in range(1, 48)]
    assert downbeat_of(to_roll(Score(melody, signature=WALTZ), 0.25)) == 0
    walking = [Note(beat, beat + 1, 43, 80) for beat in range(24)]
    assert downbeat_of(to_roll(Score(walking, signature=WALTZ), 0.25)) == 0

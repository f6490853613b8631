from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from small_music import GRID, rolls

from improv.music.pianoroll import PianoRoll
from improv.music.plot import OTHERS, PARTNER
from improv.train.comparison import comparison_figure

PLAYED, *PIECES = rolls(4)
FREE_RUN: dict[str, Any] = {
    "notes_per_frame": 3.25, "repeated": 0.5, "silent": 0.0, "polyphony": [0, 0.25, 0.5, 0.25] + [0] * 9,
    "pitch_classes": [0.5, 0.5] + [0] * 10,
    "notes_per_frame_data": 4.0, "repeated_data": 0.25, "silent_data": 0.125,
    "polyphony_data": [0.5] + [0] * 11 + [0.5], "pitch_classes_data": [0.25] * 4 + [0] * 8,
}  # fmt: skip


def figure(free_run: dict[str, Any] = FREE_RUN, played: PianoRoll = PLAYED, **options: bool) -> Figure:
    return comparison_figure(free_run, played, PIECES, "mine", **options)


def bars(of: Figure, index: int) -> tuple[list[float], list[float], list[str]]:
    """The heights of a histogram's bars, of the model and of the data, and what stands below them."""
    axes = of.axes[index]
    ours, data = ([bar.get_height() for bar in group] for group in axes.containers)
    return ours, data, [label.get_text() for label in axes.get_xticklabels()]


def test_shares_stand_side_by_side_in_per_cent() -> None:
    ours, data, names = bars(figure(), 1)
    assert (ours, data) == ([50, 50] + [0] * 10, [25] * 4 + [0] * 8)
    assert (names[0], names[9]) == ("C", "A")


def test_notes_at_once_are_told_up_to_the_most_that_occur() -> None:
    ours, data, names = bars(figure(), 0)
    assert (ours[:4], data[0], data[12]) == ([0, 25, 50, 25], 50, 50)
    assert (names[0], names[12], len(names)) == ("0", "12+", 13)
    assert bars(figure({**FREE_RUN, "polyphony_data": FREE_RUN["polyphony"]}), 0)[2] == ["0", "1", "2", "3"]


def test_the_figures_are_told_beside_those_of_the_data() -> None:
    (subtitle,) = [text.get_text() for text in figure().texts if "notes per frame" in text.get_text()]
    for told in ("3.25 (data 4.00)", "50.0 % (25.0 %)", "0.0 % (12.5 %)"):
        assert told in subtitle


def test_the_middle_of_both_is_drawn_in_the_same_pitches() -> None:
    ours, data = figure(played=rolls(1, bars=20)[0]).axes[2:]
    assert ours.get_title(loc="left") == "The model, alone: bars 7 to 14 of 20"
    assert data.get_title(loc="left") == "A piece of the data: bars 1 to 8 of 8"
    assert ours.get_ylim() == data.get_ylim()
    assert (ours.get_xlim(), data.get_xlim()) == ((24, 56), (0, 32))
    for axes, colour in ((ours, PARTNER), (data, OTHERS)):
        notes = axes.collections[-1]
        assert len(notes.get_paths()) > 40
        assert tuple(np.round(notes.get_facecolor()[0][:3] * 255)) == tuple(bytes.fromhex(colour[1:]))


def test_frames_in_seconds_are_told_in_seconds() -> None:
    title = figure(in_seconds=True).axes[2].get_title(loc="left")
    assert title == "The model, alone: seconds 1 to 16 of 16", "eight bars of four beats at 120"


@pytest.mark.parametrize("frames", [1, 5, 1000])
def test_silence_is_drawn(frames: int) -> None:
    figure(played=PianoRoll(np.zeros((frames, 2, 88), np.uint8), GRID)).canvas.draw()

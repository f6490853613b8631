import math
from pathlib import Path

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from improv.train.curve import curve_figure, draw_curve
from improv.train.trainer import Epoch

HISTORIES = {
    "rising": [-9.0, -4.0, -2.5, -2.125],
    "falling": [-2.125, -4.0, -9.0],
    "best in the middle": [-9.0, -2.125, -9.0],
    "one epoch": [-2.125],
    "level": [-2.125, -2.125],
    "best at the end of many": [-9.0] * 39 + [-2.125],
}


@pytest.mark.parametrize("valid", HISTORIES.values(), ids=HISTORIES)
def test_the_label_of_the_best_epoch_stays_within_the_frame(valid: list[float]) -> None:
    figure = curve_figure([Epoch(number, -3.0, value, 1.0) for number, value in enumerate(valid, 1)], {})
    FigureCanvasAgg(figure).draw()
    axes = figure.axes[0]
    (label,) = axes.texts
    inside, text = axes.get_window_extent(), label.get_window_extent()
    assert label.get_text() == "-2.125"
    assert inside.x0 < text.x0 < text.x1 < inside.x1
    assert inside.y0 < text.y0 < text.y1 < inside.y1


def test_the_best_rbm_is_marked_as_kept_and_not_the_better_nade() -> None:
    history = [Epoch(1, -3.0, -1.0, 1.0, "nade"), Epoch(2, -3.0, -2.0, 1.0, "rbm"), Epoch(3, -3.0, -1.5, 1.0, "rbm")]
    axes = curve_figure(history, {}).axes[0]
    (kept,) = [line for line in axes.lines if line.get_label() == "kept"]
    assert kept.get_xydata().tolist() == [[3, -1.5]]
    assert [label.get_text() for label in axes.texts] == ["-1.000", "-1.500"]


def test_the_monitors_of_a_nade_and_of_an_rbm_are_not_joined() -> None:
    history = [Epoch(1, -3.0, -2.0, 1.0, "nade"), Epoch(2, -2.0, -1.5, 1.0, "nade"), Epoch(3, -9.0, -2.25, 1.0, "rbm")]
    drawn = [line.get_xydata().tolist() for line in curve_figure(history, {}).axes[0].lines]
    assert drawn[:2] == [[[1, -3], [2, -2]], [[3, -9]]]


def test_the_monitor_of_a_nade_is_shown_however_far_below() -> None:
    history = [Epoch(1, -14.0, -8.0, 1.0, "nade"), Epoch(2, -9.0, -7.0, 1.0, "nade")]
    assert curve_figure(history, {}).axes[0].get_ylim()[0] < -14


@pytest.mark.parametrize("value", [math.nan, -math.inf])
def test_what_is_no_number_is_left_out(value: float) -> None:
    low, high = curve_figure([Epoch(1, value, value, 1.0), Epoch(2, value, value, 1.0)], {}).axes[0].get_ylim()
    assert low < high


def test_the_monitor_of_a_new_rbm_does_not_flatten_the_rest() -> None:
    history = [Epoch(1, -3.0, -2.0, 1.0, "nade"), Epoch(2, -230.0, -2.5, 1.0, "rbm"), Epoch(3, -9.0, -2.25, 1.0, "rbm")]
    low, high = curve_figure(history, {}).axes[0].get_ylim()
    assert -4 < low < -3 < -2 < high < -1


def test_the_monitor_of_a_new_rbm_is_shown_where_nothing_else_tells_of_it() -> None:
    history = [Epoch(1, -3.0, math.nan, 1.0, "nade"), Epoch(2, -9.0, math.nan, 1.0, "rbm")]
    assert curve_figure(history, {}).axes[0].get_ylim()[0] < -9


def test_without_validation_the_monitor_stands_alone() -> None:
    history = [Epoch(number, -3.0 / number, math.nan, 1.0) for number in (1, 2, 3)]
    assert len(curve_figure(history, {}).axes[0].lines) == 1


@pytest.mark.parametrize("valid", [-2.0, math.nan])
def test_the_curve_is_written_as_a_picture(tmp_path: Path, valid: float) -> None:
    draw_curve([Epoch(number, -3.0 / number, valid, 1.0) for number in (1, 2, 3)], tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_published_points_stand_beside_the_curve() -> None:
    history = [Epoch(number, -3.0 / number, math.nan, 1.0) for number in (1, 2, 3)]
    _, points = curve_figure(history, {1: -2.5, 3: -1.0}).axes[0].lines
    assert points.get_xydata().tolist() == [[1, -2.5], [3, -1.0]]

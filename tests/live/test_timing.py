"""The measures of the fault tests: what is out of step does not pass for in step."""

import random

import pytest
from timing import BAR, FRAME, FRAME_SECONDS, burst, in_step, same_grid

FRAMES_A_BAR = round(BAR / FRAME)


def bars(n: float, first: float = 0.0, off: float = 0.0) -> list[float]:
    """Onsets, one a frame, `off` frames beside the grid."""
    return [(first * FRAMES_A_BAR + frame + off) * FRAME for frame in range(round(n * FRAMES_A_BAR))]


def test_what_is_on_the_grid_is_in_step_however_it_began() -> None:
    assert in_step(bars(4), 0.0)
    assert in_step(bars(1, off=0.5) + bars(4, first=1), 0.0), "it has a bar to come back"


@pytest.mark.parametrize("late", [0.1, 0.2])
def test_a_busy_machine_is_no_fault(late: float) -> None:
    chance = random.Random(1)
    assert in_step([beat + FRAME * (0.9 if chance.random() < 0.05 else late) for beat in bars(8)], 0.0)


def test_half_of_the_notes_anywhere_are_out_of_step() -> None:
    chance = random.Random(1)
    assert not in_step([beat + FRAME * chance.random() * (n % 2) for n, beat in enumerate(bars(16))], 0.0)
    assert not in_step([beat + FRAME * chance.random() for beat in bars(16)], 0.0)


def test_bars_that_are_off_are_out_of_step_however_long_it_is_in_step_afterwards() -> None:
    assert not in_step(bars(4, off=0.5) + bars(100, first=4), 0.0)
    assert not in_step(bars(2, off=0.5) + bars(100, first=2), 0.0)


def test_a_bar_left_out_is_out_of_step() -> None:
    assert not in_step(bars(4) + bars(4, first=5.1), 0.0)
    assert not in_step(bars(4, first=1.1), 0.0)


@pytest.mark.parametrize("shift", [0.3, 0.5, 0.7])
def test_a_grid_of_its_own_is_not_the_same_grid(shift: float) -> None:
    before = [1000.0 + FRAME_SECONDS * n for n in range(20)]
    assert same_grid(before, [at + 60 + FRAME_SECONDS * 0.1 for at in before])
    assert not same_grid(before, [at + 60 + FRAME_SECONDS * shift for at in before])
    assert not same_grid(before, [at + random.Random(at).random() for at in before])


def test_a_burst_is_counted() -> None:
    assert burst(bars(4)) == 1
    assert burst([*bars(4), *[2.01] * 20]) == 21

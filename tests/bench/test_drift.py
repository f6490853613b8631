"""No tick is where the sum of the ticks before it has led: each is a multiplication away from the last tempo."""

import pytest

from improv.bench.drift import worst_tick

FRAME = 0.125  # seconds: a sixteenth at 120 BPM


@pytest.mark.slow
def test_in_one_tempo_every_tick_of_ten_hours_comes_at_its_moment() -> None:
    assert worst_tick(10, (120.0,)) == (0.0, 10 * 3600 / FRAME + 1)


@pytest.mark.slow
def test_a_thousand_changes_of_tempo_do_not_add_up() -> None:
    worst, n_ticks = worst_tick(10)
    assert worst < 1e-6
    assert n_ticks > 100_000

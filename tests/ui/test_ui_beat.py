import pytest

from ui.beat import BeatClock


def test_runs_on_at_the_reported_tempo():
    clock = BeatClock()
    clock.report(4.0, 120.0, moment=10.0)
    assert clock.at(10.25) == pytest.approx(4.5)


def test_a_report_that_comes_late_moves_it_only_a_little():
    clock = BeatClock()
    clock.report(0.0, 120.0, moment=0.0)
    clock.report(0.9, 120.0, moment=0.5)  # 50 ms old when read: it would be 1.0 by now
    assert 0.95 < clock.at(0.5) < 1.0


def test_follows_a_jump_at_once():
    clock = BeatClock()
    clock.report(40.0, 120.0, moment=0.0)
    clock.report(0.0, 120.0, moment=0.1)
    assert clock.at(0.1) == 0.0


def test_stands_still_when_the_engine_falls_silent():
    clock = BeatClock()
    clock.report(0.0, 60.0, moment=0.0)
    assert clock.at(5.0) == clock.at(500.0)


def test_does_not_move_while_stopped():
    clock = BeatClock()
    clock.report(3.0, 0.0, moment=0.0)
    assert clock.at(0.7) == 3.0

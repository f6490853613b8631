"""Time is one multiplication from the last change of tempo, never a sum."""

import queue
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from improv.live.clock import RealClock, Timeline, VirtualClock

tempos = st.floats(20, 300)


@given(tempos, st.floats(0, 1e5))
def test_a_moment_and_its_beat_belong_together(tempo: float, beat: float) -> None:
    timeline = Timeline(3.0, tempo)
    assert timeline.beat_at(timeline.seconds_at(beat)) == pytest.approx(beat, abs=1e-6)


@given(st.lists(st.tuples(st.floats(0.01, 10), tempos), max_size=200))
def test_the_beat_never_jumps_and_never_goes_back(changes: list[tuple[float, float]]) -> None:
    timeline = Timeline(0.0, 120)
    now = 0.0
    for wait, tempo in changes:
        before = timeline.beat_at(now)
        now += wait
        beat = timeline.beat_at(now)
        timeline.set_tempo(tempo, now)
        assert beat > before
        assert timeline.beat_at(now) == pytest.approx(beat, abs=1e-9)


@pytest.mark.parametrize(("ahead", "tempo"), [(1e6, 240.0), (-1e6, 1.2)])
def test_a_beat_however_far_away_is_drawn_nearer_at_a_bounded_tempo(ahead: float, tempo: float) -> None:
    timeline = Timeline(0.0, 120)
    timeline.approach(2.0 + ahead, 120, 1.0)
    assert timeline.tempo == pytest.approx(tempo)
    assert timeline.beat_at(1.0) == pytest.approx(2.0)


def test_an_event_stamped_before_a_change_keeps_its_beat() -> None:
    timeline = Timeline(0.0, 60)
    timeline.set_tempo(120, 10.0)
    assert timeline.beat_at(9.0) == 9.0
    assert timeline.beat_at(11.0) == 12.0


def test_the_real_clock_wakes_for_an_item_and_else_at_the_moment() -> None:
    clock = RealClock()
    started = clock.now()
    assert clock.wait(started + 0.02) is None
    assert clock.now() >= started + 0.02
    clock.inbox.put("item")
    assert clock.wait(time.perf_counter() + 60) == "item"


def test_the_real_inbox_takes_items_from_a_signal_handler() -> None:
    assert isinstance(RealClock().inbox, queue.SimpleQueue)  # the only queue whose put is reentrant


def test_the_virtual_clock_hands_out_items_in_their_order() -> None:
    clock = VirtualClock()
    clock.put("late", 2.0)
    clock.put("early", 1.0)
    assert clock.wait(0.5) is None
    assert (clock.wait(3.0), clock.now()) == ("early", 1.0)
    assert (clock.wait(3.0), clock.now()) == ("late", 2.0)
    assert (clock.wait(3.0), clock.now()) == (None, 3.0)

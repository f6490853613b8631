"""Following a MIDI clock: synthetic pulses in, tempo and beat out."""

import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from improv.live.clock import Timeline
from improv.live.sync import LOST_SECONDS, PULSES, Kind, MidiClock

tempos = st.floats(20, 300)
JITTER = 0.005  # seconds either way
FASTEST = 400  # BPM that a clock may have

START, CONTINUE, STOP, PULSE = (bytes([kind]) for kind in (Kind.START, Kind.CONTINUE, Kind.STOP, Kind.PULSE))


def pulses(*stretches: tuple[float, float], jitter: float = 0.0) -> Iterator[tuple[float, float]]:
    """(moment the pulse comes, moment it was due) for stretches of (BPM, beats), from second 1 on."""
    chance, due = random.Random(1), 1.0
    for tempo, beats in stretches:
        for _ in range(round(beats * PULSES)):
            yield due + chance.uniform(-jitter, jitter), due
            due += 60 / tempo / PULSES


def follow(clock: MidiClock, played: Iterator[tuple[float, float]]) -> float:
    """Lets it hear the pulses; returns the moment the last one was due."""
    due = 0.0
    for at, due in played:  # noqa: B007 - the last one is wanted
        clock.hear(at, PULSE)
    return due


@given(tempos)
def test_four_exact_pulses_give_tempo_and_beat_exactly(tempo: float) -> None:
    clock = MidiClock()
    clock.hear(0.9, START)
    due = follow(clock, pulses((tempo, 4 / PULSES)))
    assert clock.locked
    assert clock.tempo == pytest.approx(tempo, rel=1e-6)
    assert clock.beat_at(due) == pytest.approx(3 / PULSES, abs=1e-6)


@given(tempos)
def test_jitter_is_smoothed(tempo: float) -> None:
    clock = MidiClock()
    clock.hear(0.9, START)
    due = follow(clock, pulses((tempo, 8), jitter=JITTER))
    assert clock.tempo == pytest.approx(tempo, rel=0.02)
    assert clock.beat_at(due) == pytest.approx(8 - 1 / PULSES, abs=0.6 * JITTER * tempo / 60)


@given(tempos, tempos)
def test_a_sudden_change_of_tempo_is_followed_within_two_beats_and_no_pulse_is_lost(
    before: float, after: float
) -> None:
    clock = MidiClock()
    clock.hear(0.9, START)
    due = follow(clock, pulses((before, 4), (after, 2), jitter=0.001))
    assert clock.tempo == pytest.approx(after, rel=0.05)
    assert clock.beat_at(due) == pytest.approx(6 - 1 / PULSES, abs=0.05)


def test_pulses_that_waited_for_a_busy_machine_count_but_do_not_hurry() -> None:
    clock = MidiClock()
    clock.hear(0.9, START)
    due = follow(clock, ((1.5 if 1.3 < at < 1.5 else at, due) for at, due in pulses((120, 4))))
    assert clock.tempo == pytest.approx(120, rel=0.02)
    assert clock.beat_at(due) == pytest.approx(4 - 1 / PULSES, abs=0.02)


@pytest.mark.parametrize("spacing", [0.0, 0.0001, 0.003])
def test_a_flood_of_pulses_is_no_clock_until_it_is_over(spacing: float) -> None:
    clock = MidiClock()
    clock.hear(0.9, START)
    at = follow(clock, pulses((120, 4)))
    for _ in range(500):
        at += spacing
        clock.hear(at, PULSE)
    assert clock.lost_at < at
    song_beat = clock.beat_at(at)
    assert song_beat is not None
    assert song_beat < 4 + (LOST_SECONDS + 500 * spacing) * FASTEST / 60
    clock.lose()
    clock.hear(at, PULSE)
    assert clock.lost_at < at, "it goes on"
    clock.lose()
    for n in range(1, 9):
        clock.hear(at + n * 0.5 / PULSES, PULSE)
    assert clock.tempo == pytest.approx(120)
    assert clock.lost_at > at


def test_a_clock_at_the_fastest_tempo_is_no_flood() -> None:
    clock = MidiClock()
    clock.hear(0.9, START)
    due = follow(clock, pulses((300, 600), jitter=JITTER))
    assert clock.beat_at(due) == pytest.approx(600, abs=0.1)


def test_the_song_stops_continues_and_is_relocated() -> None:
    clock = MidiClock()
    clock.hear(0.9, START)
    due = follow(clock, pulses((120, 2)))
    clock.hear(due, STOP)
    assert not clock.running
    assert clock.beat_at(due) is None
    clock.hear(due, CONTINUE)
    assert clock.running
    assert clock.beat_at(due + 0.5 / PULSES) == pytest.approx(2)
    clock.hear(due, STOP)
    clock.hear(due, bytes([Kind.POSITION, 4, 1]))  # 132 sixteenths
    clock.hear(due, CONTINUE)
    assert clock.beat_at(due + 0.5 / PULSES) == pytest.approx(33)
    clock.hear(due, START)
    assert clock.beat_at(due + 0.5 / PULSES) == pytest.approx(0)


def test_a_clock_that_was_lost_is_counted_from_the_nearest_pulse() -> None:
    clock = MidiClock()
    clock.hear(0.9, START)
    due = follow(clock, pulses((120, 2)))
    assert clock.lost_at == due + LOST_SECONDS
    clock.lose()
    assert not clock.locked
    assert clock.lost_at == float("inf")
    for n in range(8):
        clock.hear(10 + n * 0.5 / PULSES, PULSE)
    at = 10 + 7 * 0.5 / PULSES
    assert clock.count(18.0 + 0.3 / PULSES, at) == pytest.approx(18.0)
    assert clock.count(99.0, at) == pytest.approx(18.0)  # from now on its own count


@given(st.lists(st.tuples(tempos, st.floats(0.5, 4)), min_size=1, max_size=6))
def test_the_beat_that_follows_never_jumps_or_turns_back_and_arrives(stretches: list[tuple[float, float]]) -> None:
    clock, timeline = MidiClock(), Timeline(1.0, 120)
    clock.hear(0.9, START)
    previous = before = -1.0
    last = stretches[-1][0]
    for at, due in pulses(*stretches, (last, 4), jitter=0.001):  # noqa: B007 - the last one is wanted
        clock.hear(at, PULSE)
        beat = timeline.beat_at(at)
        assert previous <= beat <= previous + 600 / 60 * (at - before) + 1e-9
        previous, before = beat, at
        if clock.locked:
            timeline.approach(clock.count(beat, at), clock.tempo, at)
    song_beat = round(sum(round(beats * PULSES) for _, beats in [*stretches, (last, 4)])) / PULSES - 1 / PULSES
    assert timeline.beat_at(due) == pytest.approx(song_beat, abs=0.1)


def test_any_clock_messages_in_any_order_are_survived() -> None:
    chance, clock, at = random.Random(1), MidiClock(), 0.0
    for _ in range(20_000):
        at += chance.choice([0.0, 0.0001, 0.02, 0.5])
        clock.hear(at, chance.choice([START, CONTINUE, STOP, PULSE, PULSE, PULSE, bytes([Kind.POSITION, 127, 127])]))
        if clock.locked:
            assert 10 < clock.tempo < 500
            clock.count(1e3, at)

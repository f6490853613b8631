"""The player's notes on the grid: nothing is lost, nothing is invented."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from improv.live.quantiser import Quantiser
from improv.music.pianoroll import SOUNDING, STRUCK
from improv.music.score import Note, Score, to_roll

GRID = 0.25


def quantiser() -> Quantiser:
    return Quantiser(GRID, 21, 88)


def test_an_onset_belongs_to_the_nearest_tick() -> None:
    player = quantiser()
    player.note_on(60, 1.12)  # before the middle between 1.0 and 1.25
    player.note_on(64, 1.13)  # after it
    assert player.frame(4)[STRUCK].nonzero()[0].tolist() == [39]
    assert player.frame(5)[STRUCK].nonzero()[0].tolist() == [43]


def test_a_note_shorter_than_a_frame_sounds_for_one() -> None:
    player = quantiser()
    player.note_on(60, 1.05)
    player.note_off(60, 1.06)
    assert player.frame(4)[SOUNDING].sum() == 1
    assert player.frame(5)[SOUNDING].sum() == 0


def test_a_repeated_note_is_struck_again_and_a_held_one_is_held() -> None:
    player = quantiser()
    player.note_on(60, 0.0)
    player.note_on(60, 0.5)
    assert [int(player.frame(n)[STRUCK].sum()) for n in range(4)] == [1, 0, 1, 0]
    assert [int(player.frame(n)[SOUNDING].sum()) for n in range(4)] == [1, 1, 1, 1]


def test_pitches_outside_the_range_are_folded_into_it() -> None:
    player = quantiser()
    player.note_on(0, 0.0)
    player.note_on(127, 0.0)
    pitches = {int(column) + 21 for column in player.frame(0)[SOUNDING].nonzero()[0]}
    assert {pitch % 12 for pitch in pitches} == {0 % 12, 127 % 12}


def test_idle_is_how_long_ago_the_player_last_sounded() -> None:
    player = quantiser()
    assert player.idle_beats(5.0) == float("inf")
    player.note_on(60, 1.0)
    assert player.idle_beats(5.0) == 0.0
    player.note_off(60, 2.0)
    assert player.idle_beats(5.0) == 3.0


notes = st.lists(st.tuples(st.integers(30, 90), st.integers(0, 400), st.integers(1, 100)), max_size=30)


@given(notes)
def test_live_frames_are_those_of_the_same_notes_in_a_file(played: list[tuple[int, int, int]]) -> None:
    spans: dict[int, list[tuple[float, float]]] = {}
    for pitch, start, length in sorted(played, key=lambda note: note[1]):
        on, off = start / 40, (start + length) / 40
        if not spans.get(pitch) or spans[pitch][-1][1] < on:
            spans.setdefault(pitch, []).append((on, off))
    events = [(on, 1, pitch) for pitch, each in spans.items() for on, _ in each]
    events += [(off, 0, pitch) for pitch, each in spans.items() for _, off in each]
    player = quantiser()
    for beat, down, pitch in sorted(events):
        (player.note_on if down else player.note_off)(pitch, beat)
    score = Score([Note(on, off, pitch, 80) for pitch, each in spans.items() for on, off in each])
    roll = to_roll(score, GRID, keep_silence=True)
    live = np.stack([player.frame(n) for n in range(len(roll))]) if len(roll) else roll.frames
    assert np.array_equal(live, roll.frames)


def test_memory_stays_flat_over_a_long_session() -> None:
    player = quantiser()
    for beat in range(10_000):
        player.note_on(60, beat)
        player.note_off(60, beat + 0.5)
        player.forget_before(beat * 4)
    assert len(player._notes) < 10

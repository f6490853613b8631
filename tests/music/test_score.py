import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from improv.errors import ImprovError
from improv.music.pianoroll import PianoRoll
from improv.music.score import Note, Score, roll_to_notes, to_roll, to_roll_seconds


def spans(roll: PianoRoll) -> list[tuple[int, int, int]]:
    """Onset, end (frames) and pitch of every note of a roll."""
    notes = roll_to_notes(roll)
    return [(round(note.onset / roll.grid), round(note.end / roll.grid), note.pitch) for note in notes]


@st.composite
def rolls(draw: st.DrawFn) -> PianoRoll:
    """Any roll that a score can have: struck pitches sound, what begins is struck, the last frame is not empty."""
    n_frames, n_pitches = draw(st.integers(1, 12)), draw(st.integers(12, 20))
    states = draw(st.lists(st.integers(0, 2), min_size=n_frames * n_pitches, max_size=n_frames * n_pitches))
    grid, low = draw(st.sampled_from([1.0, 0.5, 0.25, 1 / 3, 1 / 6, 0.15, 0.6])), draw(st.integers(0, 100))
    state = np.array(states, np.uint8).reshape(n_frames, n_pitches)  # 0 silent, 1 sounding, 2 struck
    state[-1, 0] = 2
    sounding = PianoRoll.from_sounding((state > 0).astype(np.uint8), grid, low)
    frames = np.stack([sounding.sounding, sounding.struck | (state == 2)], axis=1)
    return PianoRoll(frames, grid, low)


@given(rolls())
def test_a_roll_becomes_notes_and_the_same_roll_again(roll: PianoRoll) -> None:
    score = Score(roll_to_notes(roll))
    again = to_roll(score, roll.grid, roll.low, roll.n_pitches, keep_silence=True)
    assert np.array_equal(again.frames, roll.frames)


def test_onsets_and_ends_move_to_the_nearest_tick() -> None:
    score = Score([Note(0.1, 0.9, 60, 80), Note(0.25, 1.24, 62, 80), Note(1.26, 2, 64, 80)])
    assert spans(to_roll(score, 0.5)) == [(0, 2, 60), (1, 2, 62), (3, 4, 64)]


def test_a_short_note_is_never_lost() -> None:
    score = Score([Note(1, 1, 60, 80), Note(1.2, 1.21, 62, 80)])
    assert spans(to_roll(score, 1)) == [(1, 2, 60), (1, 2, 62)]
    assert spans(to_roll_seconds(score, 0.3))[0] == (2, 3, 60)


def test_a_repeated_note_is_struck_again_and_a_held_one_is_not() -> None:
    score = Score([Note(0, 1, 60, 80), Note(1, 2, 60, 80), Note(0, 2, 64, 80)])
    assert spans(to_roll(score, 0.5)) == [(0, 2, 60), (0, 4, 64), (2, 4, 60)]


def test_leading_empty_bars_are_left_out_and_the_place_in_the_bar_is_kept() -> None:
    score = Score([Note(10, 11, 60, 80)])
    assert spans(to_roll(score, 1)) == [(2, 3, 60)]
    assert spans(to_roll(score, 1, keep_silence=True)) == [(10, 11, 60)]


def test_an_onset_just_before_the_bar_line_belongs_to_the_bar() -> None:
    score = Score([Note(3.95, 5, 60, 80)])
    assert spans(to_roll(score, 0.25)) == [(0, 4, 60)]


@pytest.mark.parametrize(("pitch", "folded"), [(20, 32), (0, 24), (21, 21), (108, 108), (109, 97), (127, 103)])
def test_pitches_outside_the_range_are_folded_by_octaves(pitch: int, folded: int) -> None:
    assert spans(to_roll(Score([Note(0, 1, pitch, 80)]), 1)) == [(0, 1, folded)]


@given(st.integers(0, 127), st.integers(0, 120), st.integers(1, 30))
def test_a_folded_pitch_keeps_its_name_and_is_dropped_only_where_it_has_no_place(
    pitch: int, low: int, n_pitches: int
) -> None:
    roll = to_roll(Score([Note(0, 1, pitch, 80)]), 1, low, n_pitches)
    place = [low + column for column in range(n_pitches) if (low + column) % 12 == pitch % 12]
    sounding = [low + int(column) for column in np.flatnonzero(roll.sounding[0])]
    assert sounding == ([min(place, key=lambda candidate: abs(candidate - pitch))] if place else [])


def test_seconds_follow_the_tempo_map() -> None:
    score = Score([], [(2.0, 60.0), (4.0, 240.0)])
    assert [score.seconds_at(beat) for beat in (0, 1, 2, 3, 4, 8)] == [0, 0.5, 1, 2, 3, 4]


def test_sampling_in_seconds_follows_the_tempo_map() -> None:
    score = Score([Note(0, 2, 60, 80), Note(2, 4, 62, 80)], [(0.0, 120.0), (2.0, 60.0)])
    roll = to_roll_seconds(score, 0.5)
    assert spans(roll) == [(0, 2, 60), (2, 6, 62)]
    assert roll.grid == 1


def test_an_absurdly_long_piece_is_refused() -> None:
    score = Score([Note(90_000, 90_001, 60, 80)], [(0.0, 4.0)])
    for make in (lambda: to_roll(score, 1 / 480, keep_silence=True), lambda: to_roll_seconds(score, 0.3)):
        with pytest.raises(ImprovError, match="longer than"):
            make()


def test_nothing_makes_an_empty_roll() -> None:
    assert len(to_roll(Score([]), 1)) == 0
    assert roll_to_notes(to_roll(Score([]), 1)) == []

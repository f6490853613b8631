"""The partner ends every note it begins, strikes what is struck and holds what is held."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from improv.live.voices import Notes, Voices
from improv.music.pianoroll import SOUNDING, STRUCK, silence


def frame(sounding: str, struck: str = "") -> np.ndarray:
    made = silence(88)
    for row, pitches in ((SOUNDING, sounding), (STRUCK, struck)):
        made[row, [int(pitch) - 21 for pitch in pitches.split()]] = 1
    return made


def play(*frames: np.ndarray) -> list[tuple[int, bool]]:
    sent: list[tuple[int, bool]] = []
    voices = Voices(21, 88, lambda notes: sent.extend((pitch, velocity > 0) for pitch, velocity in notes))
    for number, each in enumerate(frames):
        voices.send(voices.changes(each, number * 0.25, 4.0))
    return sent


def test_a_held_note_is_struck_once() -> None:
    assert play(frame("60", "60"), frame("60"), frame("60")) == [(60, True)]


def test_a_repeated_note_is_ended_and_struck_again() -> None:
    assert play(frame("60", "60"), frame("60", "60")) == [(60, True), (60, False), (60, True)]


def test_ends_come_before_onsets() -> None:
    assert play(frame("60", "60"), frame("64", "64")) == [(60, True), (60, False), (64, True)]


def test_a_held_note_that_does_not_sound_yet_is_struck() -> None:
    assert play(frame("60")) == [(60, True)]


def test_the_first_beat_of_a_bar_is_louder_and_the_player_sets_the_dynamics() -> None:
    def velocity(beat: float, player: int) -> int:
        sent: list[int] = []
        voices = Voices(21, 88, lambda notes: sent.extend(velocity for _, velocity in notes))
        for _ in range(50):
            voices.hear_velocity(player)
        voices.send(voices.changes(frame("60", "60"), beat, 4.0))
        return sent[0]

    assert velocity(4.0, 80) > velocity(1.0, 80) > velocity(1.25, 80)
    assert velocity(0.25, 110) > velocity(0.25, 40) >= 1
    assert velocity(0.0, 127) <= 127


@given(st.lists(st.tuples(st.sets(st.integers(21, 108), max_size=6), st.sets(st.integers(21, 108), max_size=6))))
def test_whatever_is_played_release_leaves_nothing_sounding(frames: list[tuple[set[int], set[int]]]) -> None:
    heard: set[int] = set()

    def sink(notes: Notes) -> None:
        for pitch, velocity in notes:
            if velocity:
                assert pitch not in heard, "struck while it sounds"
                heard.add(pitch)
            else:
                heard.remove(pitch)

    voices = Voices(21, 88, sink)
    for number, (sounding, struck) in enumerate(frames):
        made = silence(88)
        made[SOUNDING, [pitch - 21 for pitch in sounding]] = 1
        made[STRUCK, [pitch - 21 for pitch in struck]] = 1
        voices.send(voices.changes(made, number * 0.25, 4.0))
        assert heard == sounding == voices.sounding
    voices.release()
    assert heard == set()


def test_a_pitch_the_player_strikes_is_given_up_at_once() -> None:
    sent: list[tuple[int, int]] = []
    voices = Voices(21, 88, sent.extend)
    voices.send(voices.changes(frame("60 64", "60 64"), 0.0, 4.0))
    voices.give_up(60)
    voices.give_up(61)
    assert sent[-1] == (60, 0)
    assert voices.sounding == {64}

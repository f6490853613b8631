from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from improv.errors import ImprovError
from improv.music.pianoroll import LOW, N_PITCHES, PianoRoll, load_npz, rising_edges, silence, transpose

soundings = arrays.arrays(np.uint8, st.tuples(st.integers(0, 8), st.integers(12, 30)), elements=st.integers(0, 1))


def test_silence_is_one_frame_in_which_nothing_sounds() -> None:
    assert silence().shape == (2, N_PITCHES)
    assert not silence(30).any()


@given(soundings)
def test_a_pitch_is_struck_where_sound_follows_silence(sounding: np.ndarray) -> None:
    struck = rising_edges(sounding)
    for t, column in np.ndindex(sounding.shape):
        begins = bool(sounding[t, column]) and (t == 0 or not sounding[t - 1, column])
        assert bool(struck[t, column]) == begins


@given(soundings)
def test_a_roll_made_from_what_sounds_keeps_it(sounding: np.ndarray) -> None:
    roll = PianoRoll.from_sounding(sounding, 0.5)
    assert np.array_equal(roll.sounding, sounding)
    assert not (roll.struck & (1 - roll.sounding)).any()
    assert (len(roll), roll.n_pitches) == sounding.shape


@given(soundings, st.integers(-40, 40))
def test_transposing_moves_every_pitch_class_and_nothing_leaves_the_range(sounding: np.ndarray, semitones: int) -> None:
    moved = transpose(sounding, semitones)
    for before, after in zip(sounding, moved, strict=True):
        expected = {(int(column) + semitones) % 12 for column in np.flatnonzero(before)}
        assert {int(column) % 12 for column in np.flatnonzero(after)} == expected


@given(soundings.map(lambda sounding: np.pad(sounding, ((0, 0), (7, 7)))), st.integers(-7, 7))
def test_transposing_within_the_range_is_undone_by_its_opposite(sounding: np.ndarray, semitones: int) -> None:
    roll = PianoRoll.from_sounding(sounding, 0.5)
    again = roll.transposed(semitones).transposed(-semitones)
    assert np.array_equal(again.frames, roll.frames)


@pytest.mark.parametrize("frames", [np.zeros((3, 88), np.uint8), np.zeros((3, 1, 88), np.uint8), np.zeros((3, 2, 88))])
def test_what_is_no_roll_is_refused(frames: np.ndarray) -> None:
    with pytest.raises(ValueError, match="frames must be uint8"):
        PianoRoll(frames, 0.5)


def save(path: Path, **arrays: object) -> Path:
    np.savez(path, **arrays)
    return path


def test_the_pieces_of_an_npz_come_back_by_split(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    frames = rng.integers(0, 2, (7, 88)).astype(np.uint8)
    path = save(
        tmp_path / "x.npz", train_frames=frames, train_lengths=np.array([3, 4], np.int32), pitch_low=21, frame_beats=0.5
    )
    splits = load_npz(path)
    assert list(splits) == ["train"]
    first, second = splits["train"]
    assert np.array_equal(first.sounding, frames[:3])
    assert np.array_equal(second.sounding, frames[3:])
    assert np.array_equal(second.struck[0], frames[3])
    assert (first.grid, first.low) == (0.5, LOW)


PIECE = {"train_frames": np.ones((4, 88), np.uint8), "train_lengths": np.array([4], np.int32)}


BAD = {
    "nothing": {},
    "other arrays": {"x": np.zeros(3)},
    "no lengths": {"train_frames": PIECE["train_frames"]},
    "lengths too short": {**PIECE, "train_lengths": np.array([3])},
    "negative length": {**PIECE, "train_lengths": np.array([-1, 5])},
    "broken lengths": {**PIECE, "train_lengths": np.array([1.5, 2.5])},
    "flat frames": {**PIECE, "train_frames": np.ones(4, np.uint8)},
    "no pitches": {**PIECE, "train_frames": np.ones((4, 0), np.uint8)},
    "pickled frames": {**PIECE, "train_frames": np.array([{"a": 1}], object)},
    "no grid": {**PIECE, "frame_beats": 0.0},
    "grid not a number": {**PIECE, "frame_beats": np.nan},
    "grid of letters": {**PIECE, "frame_beats": np.array(["x"])},
    "pitches below MIDI": {**PIECE, "pitch_low": -500},
    "pitches above MIDI": {**PIECE, "pitch_low": 100},
}


@pytest.mark.parametrize("arrays", BAD.values(), ids=BAD.keys())
def test_an_npz_without_piano_rolls_is_explained(arrays: dict[str, object], tmp_path: Path) -> None:
    path = save(tmp_path / "x.npz", **arrays)
    with pytest.raises(ImprovError, match=r"x\.npz"):
        load_npz(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.integers(0, 3000), st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=6))
def test_any_damage_to_an_npz_is_survived(tmp_path: Path, cut: int, damage: list[tuple[int, int]]) -> None:
    content = bytearray(save(tmp_path / "good.npz", **PIECE).read_bytes())
    for place, byte in damage:
        content[place % len(content)] = byte
    (tmp_path / "x.npz").write_bytes(content[:cut])
    with suppress(ImprovError):
        load_npz(tmp_path / "x.npz")

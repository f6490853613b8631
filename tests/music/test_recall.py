import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from improv.music import recall
from improv.music.pianoroll import PianoRoll, top_voice, transpose
from improv.music.recall import FADE, N_LEVELS, SETTLED, Recall, Recalled, recall_in

FEW = 3  # pitches, so that frames often are alike
pieces = st.integers(0, 20).flatmap(lambda length: arrays(np.uint8, (length, 2, FEW), elements=st.integers(0, 1)))


def of_random_frames(length: int, seed: int = 0) -> np.ndarray:
    """Frames [length, 2, 88] of which no two are alike."""
    return (np.random.default_rng(seed).random((length, 2, 88)) < 0.05).astype(np.uint8)


def heard(frames: np.ndarray, start: int = 0) -> Recalled:
    """What the frames from `start` on recall."""
    known = Recall(frames.shape[2])
    known.hear(frames[:start])
    return known.hear(frames[start:])


def similarity_of(one: np.ndarray, other: np.ndarray) -> float:
    """Of two pasts [T, 2, n], as it is defined."""
    total = 0.0
    for back, (a, b) in enumerate(zip(one[::-1], other[::-1], strict=False)):
        alike = (a & b).sum() / max(1, (a | b).sum())
        total += (1 - FADE) * FADE**back * alike
    return total


@given(pieces)
def test_it_recalls_what_followed_the_past_most_like_the_present(frames: np.ndarray) -> None:
    found = heard(frames)
    for now in range(len(frames)):
        similarity = [similarity_of(frames[: now + 1], frames[: then + 1]) for then in range(now)]
        assert found.similarity[now] == pytest.approx(max(similarity, default=0.0), abs=1e-5)
        best = [then for then in range(now) if similarity[then] > max(similarity) - 1e-6]
        if best and max(similarity) > 1e-5:
            assert any((found.frames[now] == frames[then + 1]).all() for then in best)


@given(pieces, st.integers(0, 20))
def test_how_much_is_heard_at_once_makes_no_difference(frames: np.ndarray, cut: int) -> None:
    whole, rest = heard(frames), heard(frames, cut)
    np.testing.assert_array_equal(rest.frames, whole.frames[cut:])
    np.testing.assert_allclose(rest.similarity, whole.similarity[cut:], atol=1e-6)


def test_a_part_that_returns_is_recalled_frame_by_frame() -> None:
    part = of_random_frames(30)
    found = heard(np.concatenate([part, of_random_frames(10, seed=1), part]))
    np.testing.assert_array_equal(found.frames[40:69], part[1:])  # from its first frame on
    assert found.similarity[69] == pytest.approx(1, abs=1e-3)
    assert (np.diff(found.similarity[40:69]) > 0).all()  # each frame that comes true makes it surer


def test_of_two_places_just_as_like_the_later_one_is_recalled() -> None:
    a, b, c = of_random_frames(3)
    found = heard(np.stack([a, b, a, c, a]))
    np.testing.assert_array_equal(found.frames[-1], c)


def test_nothing_is_recalled_before_there_is_anything_alike() -> None:
    one, other = np.zeros((2, 2, 88), np.uint8)
    one[:, 40], other[:, 41] = 1, 1
    found = heard(np.stack([one, other]))
    assert not found.frames.any()
    assert not found.similarity.any()
    assert found.levels.argmax(axis=1).tolist() == [0, 0]


def test_the_levels_tell_similarity_apart() -> None:
    frames = np.zeros((6, 2, 88), np.uint8)
    for similarity in ([0, 1e-6, 0.5, 0.7, 0.85, 0.97], [1e-7, 0.49, 0.69, 0.84, 0.96, 1.0]):
        levels = Recalled(frames, np.array(similarity, np.float32)).levels
        np.testing.assert_array_equal(levels, np.eye(6))
        assert levels.shape == (6, N_LEVELS)


def test_after_a_rest_nothing_is_recalled_but_the_music_before_it() -> None:
    music, rest = of_random_frames(20), np.zeros((60, 2, 88), np.uint8)
    found = heard(np.concatenate([music[:10], rest[:4], music[10:], music[:10], rest]))
    np.testing.assert_array_equal(found.frames[34:37], rest[:3], "as after these frames there was a rest before")
    np.testing.assert_array_equal(found.frames[37:46], music[10:19], "and then that")
    assert (np.diff(found.similarity[34:70]) < 0).all()
    assert not found.similarity[80:].any()
    assert not found.frames[80:].any()


def test_what_is_alike_is_so_in_every_key() -> None:
    frames = of_random_frames(20)[:, :, :76]
    frames = np.pad(np.concatenate([frames, frames]), ((0, 0), (0, 0), (6, 6)))  # nothing at the edges, to be folded
    here, there = heard(frames).transposed(5), heard(transpose(frames, 5))
    np.testing.assert_array_equal(here.frames, there.frames)
    np.testing.assert_array_equal(here.similarity, there.similarity)


@pytest.mark.parametrize("horizon", [10, 1000])
def test_it_looks_back_no_further_than_the_horizon(monkeypatch: pytest.MonkeyPatch, horizon: int) -> None:
    monkeypatch.setattr(recall, "HORIZON", horizon)
    part = of_random_frames(5)
    frames = np.concatenate([part, of_random_frames(20, seed=1), part])
    for found in (heard(frames), heard(frames, 25), recall_in(PianoRoll(frames, 0.25), 25, 30)):
        came_true = (found.frames[-5:-1] == part[1:]).all(axis=(1, 2))
        assert came_true.tolist() == [horizon == 1000] * 4


def test_a_long_piece_takes_little_memory() -> None:
    frames = np.concatenate([of_random_frames(3000)] * 2)
    tracemalloc.start()
    found = heard(frames)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    np.testing.assert_array_equal(found.frames[3010:-1], frames[3011:])
    assert peak < 64 * 2**20


def test_of_a_performance_without_end_no_more_is_kept_than_the_horizon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recall, "HORIZON", 10)
    known = Recall(88)
    sizes = set()
    for frame in of_random_frames(50):
        known.hear(frame[np.newaxis])
        sizes.add((known._known.size, known._similarity.size))
    assert len(sizes) == 11


def test_of_a_huge_piece_no_more_is_read_than_the_horizon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recall, "HORIZON", 10)
    read: list[slice] = []

    class Frames:
        shape = (10_000, 2, 88)
        ndim, dtype = 3, np.dtype(np.uint8)

        def __getitem__(self, chosen: slice) -> np.ndarray:
            read.append(chosen)
            return of_random_frames(chosen.stop - chosen.start)

    recall_in(PianoRoll(Frames(), 0.25), 5000, 5010)  # type: ignore[arg-type]
    assert read == [slice(5000 - SETTLED - 10, 5010)]


def test_where_the_top_voice_was_alone_it_is_all_that_is_recalled() -> None:
    part = of_random_frames(60)
    piece = PianoRoll(np.concatenate([part, part]), 0.25)
    all_heard, alone = recall_in(piece, 70, 100), recall_in(piece, 70, 100, alone=20)
    np.testing.assert_array_equal(all_heard.frames[:-1], part[11:40])
    np.testing.assert_array_equal(alone.frames[:-1], top_voice(part[11:40]))
    assert (alone.similarity[21:] < all_heard.similarity[21:]).all(), "what sounds now is more than what was heard then"


def test_in_the_middle_of_a_piece_it_recalls_as_if_it_had_heard_all_of_it() -> None:
    part = of_random_frames(60)
    frames = np.concatenate([part, of_random_frames(40, seed=1), part])
    whole = heard(frames)
    for first, end in ((0, 160), (10, 20), (100, 130), (100 + SETTLED, 160), (155, 160)):
        middle = recall_in(PianoRoll(frames, 0.25), first, end)
        np.testing.assert_array_equal(middle.frames, whole.frames[first:end])
        np.testing.assert_allclose(middle.similarity, whole.similarity[first:end], atol=1e-4)

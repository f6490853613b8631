"""What followed when the music last went as it goes now.

Music repeats itself: a tune its first part, a movement its exposition. A recurrent net forgets a phrase in a few bars.
A match model, as compressors of text have it (PAQ, Mahoney 2005), looks for the place in all that was heard whose past
is most like the present one, and tells what came next there. How far to believe it is the net's to learn.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from improv.music.pianoroll import PianoRoll, silence, top_voice, transpose

HORIZON = 4096  # frames that are looked back: eight minutes of sixteenths
FADE = 0.7  # weight of a frame in the similarity of two pasts, where the one after it has 1
SETTLED = 32  # frames after which what was before them hardly counts
TOGETHER = 256  # frames that are taken in at once
NOTHING = 1e-6  # similarity below which nothing is recalled
BOUNDS = np.array([NOTHING, 0.5, 0.7, 0.85, 0.97], np.float32)  # of similarity, between the levels told apart
N_LEVELS = len(BOUNDS) + 1


@dataclass(frozen=True)
class Recalled:
    """For each of T frames heard, what came after the place most like it.

    Attributes:
        frames: uint8 [T, 2, n_pitches]; silence where there is no such place.
        similarity: of the two pasts, float32 [T], 0 (nothing in common) to 1 (long the same).
    """

    frames: NDArray[np.uint8]
    similarity: NDArray[np.float32]

    def __getitem__(self, chosen: slice) -> "Recalled":
        return Recalled(self.frames[chosen], self.similarity[chosen])

    def transposed(self, semitones: int) -> "Recalled":
        """The same `semitones` higher: what is alike is so in any key."""
        return Recalled(transpose(self.frames, semitones), self.similarity)

    @property
    def levels(self) -> NDArray[np.float32]:
        """The similarity as one unit on among N_LEVELS, float32 [T, N_LEVELS]."""
        return np.eye(N_LEVELS, dtype=np.float32)[np.searchsorted(BOUNDS, self.similarity, side="right")]


class Recall:
    """All that was heard of a piece, up to HORIZON frames back.

    The similarity of two frames is the share they have in common of all that sounds or is struck in either (Jaccard);
    silence is similar to nothing, or every rest would recall every other. That of two pasts is the sum over their
    frames, from the last one back, each weighing FADE times as much as the one after it, and the last 1 - FADE.
    """

    def __init__(self, n_pitches: int) -> None:
        self._shape = silence(n_pitches).shape
        self.begin_with(np.empty((0, *self._shape), np.uint8))

    def begin_with(self, frames: NDArray[np.uint8]) -> None:
        """Knows frames uint8 [T, 2, n_pitches] and nothing else; what they recall need not be told."""
        self._known = _packed(frames)  # [words, N]
        self._similarity = np.zeros(max(0, len(frames) - 1), np.float32)  # of the last past to those before it, [N - 1]

    def hear(self, frames: NDArray[np.uint8]) -> Recalled:
        """Takes in frames uint8 [T, 2, n_pitches], and recalls what came next."""
        parts = [self._hear(_packed(frames[start : start + TOGETHER])) for start in range(0, len(frames), TOGETHER)]
        recalled = np.concatenate([_packed(frames[:0]), *(part for part, _ in parts)], axis=1)
        similarity = np.concatenate([np.zeros(0, np.float32), *(part for _, part in parts)])
        return Recalled(_unpacked(recalled, self._shape), similarity)

    def _hear(self, packed: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.float32]]:
        """The same of a few frames [words, T]: what they recall [words, T], and its similarity [T]."""
        known = np.concatenate([self._known, packed], axis=1)
        alike = (1 - FADE) * _alike(packed, known)
        recalled, similarity = np.zeros_like(packed), np.zeros(packed.shape[1], np.float32)
        for t, now in enumerate(range(self._known.shape[1], known.shape[1])):
            if now == 0:
                continue  # there is no past yet
            before = np.append(np.float32(0), FADE * self._similarity)
            self._similarity = (before + alike[t, now - len(before) : now])[-HORIZON:]
            best = now - 1 - int(self._similarity[::-1].argmax())  # of equal ones the latest
            found = self._similarity[best - now]
            if found >= NOTHING:
                recalled[:, t], similarity[t] = known[:, best + 1], found
        self._known = known[:, -HORIZON - 1 :]
        return recalled, similarity


def recall_in(roll: PianoRoll, first: int, end: int, alone: int = 0) -> Recalled:
    """What each of the frames `first` .. `end - 1` of a piece recalls.

    Args:
        alone: where it is not 0, of all before the frame `first + alone` nothing but the top voice was heard.
    """
    start = max(0, first - SETTLED)
    begin = max(0, start - HORIZON)
    frames = np.asarray(roll.frames[begin:end])
    if alone:
        frames = np.concatenate([top_voice(frames[: first + alone - begin]), frames[first + alone - begin :]])
    recall = Recall(roll.n_pitches)
    recall.begin_with(frames[: start - begin])
    return recall.hear(frames[start - begin :])[first - start :]


def _packed(frames: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Frames [T, 2, n_pitches] as bits, [words, T]."""
    bits = np.packbits(frames.reshape(len(frames), math.prod(frames.shape[1:])), axis=1)
    words = np.pad(bits, ((0, 0), (0, -bits.shape[1] % 8))).view(np.uint64)
    return np.ascontiguousarray(words.T)


def _unpacked(packed: NDArray[np.uint64], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """The frames [T, 2, n_pitches] again, each of `shape`."""
    bits = np.ascontiguousarray(packed.T).view(np.uint8)
    return np.unpackbits(bits, axis=1, count=math.prod(shape)).reshape(-1, *shape)


def _alike(some: NDArray[np.uint64], known: NDArray[np.uint64]) -> NDArray[np.float32]:
    """How like every frame of `some` [words, T] is to every known one [words, N], [T, N]."""
    common = np.zeros((some.shape[1], known.shape[1]), np.uint16)
    for word, others in zip(some, known, strict=True):
        common += np.bitwise_count(word[:, np.newaxis] & others)
    sizes, others = (np.bitwise_count(frames).sum(axis=0, dtype=np.float32) for frames in (some, known))
    either = sizes[:, np.newaxis] + others - common
    return np.asarray(common / np.maximum(either, 1))

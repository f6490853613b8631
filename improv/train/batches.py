"""From pieces to batches of subsequences, with all the chance that training takes.

Every random choice about a subsequence is drawn from (seed, epoch, its number in the epoch), so the same training
comes out however it is interrupted, resumed, or shared among processes.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from improv.model.core import Past
from improv.model.sequence_model import SequenceModel
from improv.music.pianoroll import PianoRoll, top_voice, transpose
from improv.music.recall import recall_in
from improv.train.recipe import Recipe

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Window:
    """A subsequence of an epoch: its number there, its piece, its first frame and the frame after its last."""

    number: int
    piece: int
    start: int
    end: int


@dataclass(frozen=True)
class Batch:
    """Subsequences side by side, padded to the longest.

    Attributes:
        heard: what the cores hear, [B, T, n_inputs].
        v: what is to be learned, [B, T, V].
        mask: which frames are real, [B, T].
        starts: where the negative chains start, [B, T, V].
        kept_u, kept_s: factors of dropout for the past, [B, T, recurrent] and [B, T, 1, tied]; None without.
        seeds: of the negative chains of every subsequence, [B].
        rows: numbers of these subsequences in the whole batch, of which this may be a part, [B].
    """

    heard: Tensor
    v: Tensor
    mask: Tensor
    starts: Tensor
    kept_u: Tensor | None
    kept_s: Tensor | None
    seeds: list[int]
    rows: list[int]

    def to(self, device: torch.device) -> Batch:
        """The same on `device`."""
        moved = {name: value.to(device) for name, value in vars(self).items() if isinstance(value, Tensor)}
        return Batch(**{**vars(self), **moved})

    def dropped(self, past: Past) -> Past:
        """`past` with the batch's dropout."""
        u = past.u if self.kept_u is None else past.u * self.kept_u
        s = past.s if past.s is None or self.kept_s is None else past.s * self.kept_s
        return Past(u, s)


class Batches:
    """Cuts pieces into subsequences and prepares these for training."""

    def __init__(self, model: SequenceModel, pieces: list[PianoRoll], seed: int) -> None:
        self.model, self.config = model, model.config
        self.pieces, self.seed = pieces, seed

    def epoch(self, number: int, recipe: Recipe) -> list[list[Window]]:
        """The epoch's batches of subsequences, as many and as long as `recipe` has them, in random order.

        Where batches are shuffled anyway each piece is cut at a random phase; one at a time it is the tutorial's cuts.
        """
        rng = np.random.default_rng((self.seed, number))
        size, length = recipe.batch, recipe.length
        found = []
        for index, piece in enumerate(self.pieces):
            first = int(rng.integers(1, length + 1)) if size > 1 else length
            found += [(index, *cut) for cut in pairwise([0, *range(first, len(piece), length), len(piece)])]
        rng.shuffle(found)
        windows = [Window(place, *window) for place, window in enumerate(found)]
        return [windows[start : start + size] for start in range(0, len(windows), size)]

    def make(self, epoch: int, windows: list[Window], recipe: Recipe, rows: slice = slice(None)) -> Batch:
        """The batch of these subsequences, or those `rows` of it that are one process's share, as `recipe` has it."""
        places, windows = list(range(len(windows)))[rows], windows[rows]
        parts = [self._part(epoch, window, recipe) for window in windows]

        def padded(name: str) -> Tensor:
            return torch.nn.utils.rnn.pad_sequence([torch.from_numpy(part[name]) for part in parts], batch_first=True)

        lengths = torch.tensor([window.end - window.start for window in windows])
        dropout = bool(recipe.state_dropout)
        return Batch(
            heard=padded("heard"),
            v=padded("v"),
            mask=torch.arange(int(lengths.max())) < lengths.unsqueeze(1),
            starts=padded("starts"),
            kept_u=padded("kept_u") if dropout else None,
            kept_s=padded("kept_s") if dropout and self.config.tied else None,
            seeds=[int(part["seed"]) for part in parts],
            rows=places,
        )

    def _part(self, epoch: int, window: Window, recipe: Recipe) -> dict[str, Any]:
        rng = np.random.default_rng((self.seed, epoch, 1 + window.number))
        roll = self.pieces[window.piece]
        semitones = int(rng.integers(-recipe.transpose, recipe.transpose + 1)) if recipe.transpose else 0
        frames = np.asarray(roll.frames[window.start : window.end])
        alone = int(rng.random() * len(frames)) if rng.random() < recipe.alone else 0
        overheard = np.concatenate([top_voice(frames[:alone]), frames[alone:]])
        recalled = None
        if self.config.recall:
            recalled = recall_in(roll, window.start, window.end, alone).transposed(semitones)
        v = self.model.encode(transpose(frames, semitones)).astype(np.float32)
        inputs = self.model.inputs(
            transpose(overheard, semitones), window.start - roll.downbeat, roll.bar_beats, recalled
        ).numpy()
        heard, rest = np.split(inputs, [self.config.n_visible], axis=1)
        starts = self._starts(v, recipe.elsewhere if self.config.has_rbm else 0.0, rng)
        heard = heard * _keep(v.shape, recipe.input_dropout, rng)
        size, share = (len(v), self.config.recurrent), recipe.state_dropout
        return {
            "v": v,
            "heard": np.concatenate([heard, rest], axis=1),
            "starts": starts,
            "kept_u": _keep(size, share, rng),
            "kept_s": _keep((len(v), 1, self.config.tied), share / 2, rng),
            "seed": rng.integers(1 << 63),
        }

    def _starts(self, v: Floats, share: float, rng: np.random.Generator) -> Floats:
        """Where the negative chains of v [T, V] start: see `elsewhere` of the recipe, here `share`."""
        if not share:
            return v
        held = np.concatenate([np.zeros_like(v[:1]), v[:-1]])
        held[:, self.config.n_pitches :] = 0  # nothing is struck
        chance = rng.random((len(v), 1))
        return np.where(chance < share / 2, np.float32(0), np.where(chance < share, held, v))


def _keep(shape: tuple[int, ...], share: float, rng: np.random.Generator) -> Floats:
    """Factors of dropout: zero for `share` of the units, the others scaled up to keep the mean."""
    if not share:
        return np.ones(shape, np.float32)
    return (rng.random(shape, np.float32) >= share).astype(np.float32) / np.float32(1 - share)

import itertools
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from small_music import GRID, rolls

from improv.model.config import Config
from improv.model.sequence_model import SequenceModel
from improv.music.pianoroll import SOUNDING
from improv.train.batches import Batch, Batches, Window
from improv.train.distributed import ALONE
from improv.train.learner import Learner
from improv.train.recipe import Recipe

PIECES = rolls(4)
RECIPE = Recipe(batch=4, length=32, input_dropout=0.0, state_dropout=0.0)


def batches() -> Batches:
    """Of four small pieces."""
    torch.manual_seed(0)
    return Batches(SequenceModel(Config(hidden=8, recurrent=6, grid=GRID)), PIECES, seed=1)


def whole_epoch(recipe: Recipe) -> Batch:
    """All of an epoch in one batch."""
    of = batches()
    return of.make(1, [w for windows in of.epoch(1, recipe) for w in windows], recipe)


def test_an_epoch_has_every_frame_once_in_batches_as_asked_for() -> None:
    epoch = batches().epoch(1, RECIPE)
    assert {len(windows) for windows in epoch[:-1]} == {4}
    frames = Counter((w.piece, n) for windows in epoch for w in windows for n in range(w.start, w.end))
    assert frames == Counter((piece, n) for piece, roll in enumerate(PIECES) for n in range(len(roll)))
    assert max(w.end - w.start for windows in epoch for w in windows) == 32


def test_pretraining_of_frames_draws_single_ones_from_anywhere() -> None:
    of = batches()
    phase = Learner(of.model, replace(RECIPE, pretrain_frames=1), ALONE).pretraining[0]
    epoch = of.epoch(1, phase.recipe)
    assert {(w.end - w.start) for windows in epoch for w in windows} == {1}
    first = [(w.piece, w.start) for w in epoch[0]]
    assert len(first) == 4 * 32, "as many frames make an update as in the training itself"
    assert {piece for piece, _ in first} == set(range(4))
    assert sum(b == (a[0], a[1] + 1) for a, b in itertools.pairwise(first)) < 5


def test_what_is_learned_may_be_moved_to_any_key() -> None:
    of, recipe = batches(), replace(RECIPE, transpose=6)
    windows = [w for windows in of.epoch(1, recipe) for w in windows]
    moved = Counter[int]()
    for window in windows:
        v = of.make(1, [window], recipe).v[0, :, :88].numpy()
        original = PIECES[window.piece].frames[window.start : window.end, SOUNDING]
        (shift,) = [s for s in range(-6, 7) if np.array_equal(np.roll(original, s, axis=1), v)]
        moved[shift] += 1
    assert len(moved) > 5


@pytest.mark.parametrize("transposed", [0, 5])
def test_what_is_recalled_comes_from_the_whole_piece_before(transposed: int) -> None:
    torch.manual_seed(0)
    model, roll = SequenceModel(Config(hidden=8, recurrent=6, grid=GRID, recall=True)), PIECES[0]
    twice = replace(roll, frames=np.concatenate([roll.frames, roll.frames]))
    recipe = replace(RECIPE, input_dropout=0.9, transpose=transposed)
    of, start, n = Batches(model, [twice], seed=1), len(roll) + 20, model.config.n_visible
    batch = of.make(1, [Window(0, 0, start, start + 32)], recipe)
    recalled = batch.heard[0, :, n : 2 * n]
    assert torch.equal(recalled[:-1], batch.v[0, 1:]), "which nothing of is dropped out"
    assert np.array_equal(batch.v[0, :, :88], twice.sounding[start : start + 32]) == (not transposed)


def test_a_core_that_hears_the_top_voice_alone_recalls_no_more() -> None:
    torch.manual_seed(0)
    model, roll = SequenceModel(Config(hidden=8, recurrent=6, grid=GRID, recall=True)), PIECES[0]
    twice = replace(roll, frames=np.concatenate([roll.frames, roll.frames]))
    of, start, n = Batches(model, [twice], seed=1), len(roll) + 20, model.config.n_visible
    batch = of.make(1, [Window(0, 0, start, start + 64)], replace(RECIPE, alone=1.0))
    v, heard, recalled = batch.v[0], batch.heard[0, :, :n], batch.heard[0, :, n : 2 * n]
    alone = int((heard[:, :88].sum(1) < v[:, :88].sum(1)).sum())
    assert 10 < alone < 60
    assert (recalled[:alone, :88].sum(1) == 1).all(), "before it, nothing but the top voice was heard"
    assert (v[alone:] == heard[alone:]).all()


def test_dropout_keeps_the_mean() -> None:
    batch = whole_epoch(replace(RECIPE, input_dropout=0.5, state_dropout=0.4))
    on = batch.v > 0
    heard = batch.heard[..., : batch.v.shape[-1]]
    assert set(heard[on].tolist()) == {0.0, 2.0}
    assert not heard[~on].any()
    assert batch.kept_u is not None
    assert float(batch.kept_u[batch.mask].mean()) == pytest.approx(1, abs=0.05)


def test_some_chains_start_elsewhere_than_at_the_music() -> None:
    batch = whole_epoch(replace(RECIPE, elsewhere=0.6))
    real = batch.mask
    silent = (batch.starts[real] == 0).all(-1)
    assert float(silent.float().mean()) == pytest.approx(0.3, abs=0.1)
    n = PIECES[0].n_pitches
    struck = (batch.v[real][:, n:] > 0).any(-1)  # such a frame is not the one before held on
    music = (batch.starts[real] == batch.v[real]).all(-1)
    assert float(music[struck].float().mean()) == pytest.approx(0.4, abs=0.1)
    assert not batch.starts[real][~silent & ~music][:, n:].any(), "what is held on is not struck"

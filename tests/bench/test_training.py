"""What is measured is the trainer's own training, and it learns."""

import math
from dataclasses import replace

import pytest
import torch

from improv.bench import training as bench
from improv.train.learner import Learner


@pytest.mark.slow
def test_every_way_to_train_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "LESSONS", 1)
    results = list(bench.training(rounds=1))
    assert len(results) == (5 if torch.cuda.is_available() else 3)
    assert {result.reference_name for result in results} == {"torch eager, one subsequence"}
    assert all(0 < result.value < math.inf and result.unit == "frames/s" for result in results)


def test_the_learner_makes_the_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(Learner, "update", lambda _, batch, frames, __: made.append((int(batch.mask.sum()), frames)))
    frames = bench.Ours(bench.CONFIG, bench.TUTORIAL.recipe).update(3)
    assert [real for real, _ in made] == [told for _, told in made]
    assert (len(made), sum(told for _, told in made)) == (3, frames)
    made.clear()
    bench.Ours(bench.CONFIG, replace(bench.TUTORIAL.recipe, batch=4)).update(1)
    assert len(made) == 1


def test_only_the_tutorials_recipe_is_trained_in_compiled_code() -> None:
    one = bench.Ours(bench.CONFIG, bench.TUTORIAL.recipe)
    many = bench.Ours(bench.CONFIG, replace(bench.TUTORIAL.recipe, batch=bench.BATCH))
    assert one.learner._compiled is not None
    assert many.learner._compiled is None
    assert len(many.batches.epoch(1, many.learner.phase.recipe)[0]) == bench.BATCH


def test_the_reference_trains_the_same_model_on_subsequences_as_long() -> None:
    windows = bench.music()
    assert windows.shape == (1, bench.TUTORIAL.recipe.length, bench.CONFIG.n_visible)
    model = bench.Ours(bench.CONFIG, bench.TUTORIAL.recipe).model
    assert model.rbm is not None
    before = model.rbm.W.detach().clone()
    bench.eager(model)(windows)
    assert not torch.equal(before, model.rbm.W)

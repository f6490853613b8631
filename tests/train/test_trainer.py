import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_music import GRID, rolls

from improv.errors import ImprovError
from improv.model import checkpoint
from improv.model.config import CORES, Config
from improv.model.sequence_model import SequenceModel
from improv.music.pianoroll import PianoRoll
from improv.sampling.kernels import random_state
from improv.train.compiled import negative_samples
from improv.train.likelihood import sketch
from improv.train.objective import Objective
from improv.train.presets import PRESETS
from improv.train.recipe import Recipe
from improv.train.trainer import Epoch, Trainer, device_before, last_path

PIECES = rolls(5)
CONFIG = Config(hidden=12, recurrent=8, core="gru", grid=GRID)
RECIPE = Recipe(epochs=4, cd_steps=2, batch=4, length=32, alone=0.4)


class Interruption(Exception):
    """Stands for whatever ends a process between two statements."""


def trainer(out: Path, recipe: Recipe = RECIPE, config: Config = CONFIG, seed: int = 3) -> Trainer:
    return Trainer(config, recipe, PIECES[:4], PIECES[4:], out, seed)


def train(of: Trainer, on_frames: Callable[[int], None] = lambda _n: None) -> list[Epoch]:
    """Trains until the end; the epochs as they were reported."""
    reported: list[Epoch] = []
    of.run(on_frames, reported.append)
    return reported


def results(history: list[Epoch]) -> list[tuple[int, float, float]]:
    """What the epochs came to, but for the time they took."""
    return [(epoch.number, epoch.monitor, epoch.valid) for epoch in history]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    """A run from the first epoch to the last."""
    run = trainer(tmp_path_factory.mktemp("uninterrupted") / "m.pt")
    train(run)
    return run


def assert_same_result(run: Trainer, reference: Trainer) -> None:
    """Bit for bit the same weights in memory and in both files, and the same history."""
    assert results(run.history) == results(reference.history)
    assert (run.best, run.best_epoch) == (reference.best, reference.best_epoch)
    for path, expected in ((run.out, reference.out), (last_path(run.out), last_path(reference.out))):
        weights, of_reference = (checkpoint.load(file)[0].state_dict() for file in (path, expected))
        for name, tensor in of_reference.items():
            assert torch.equal(weights[name], tensor), name
    for name, tensor in reference.model.state_dict().items():
        assert torch.equal(run.model.state_dict()[name], tensor), name


@pytest.mark.parametrize("core", CORES)
def test_training_makes_the_music_likelier(tmp_path: Path, core: str) -> None:
    recipe = replace(RECIPE, epochs=12, learning_rate=0.02)
    history = train(trainer(tmp_path / "m.pt", recipe, replace(CONFIG, core=core)))
    assert history[-1].monitor > history[0].monitor + 1
    assert history[-1].valid > history[0].valid + 1
    assert all(math.isfinite(epoch.monitor) and epoch.monitor < 0 for epoch in history)


def test_the_tutorial_recipe_learns_too(tmp_path: Path) -> None:
    recipe = replace(PRESETS["tutorial"].recipe, epochs=8, learning_rate=0.05)
    config = Config(hidden=12, recurrent=8, grid=GRID, onsets=False, bars=False)
    history = train(trainer(tmp_path / "m.pt", recipe, config))
    assert history[-1].monitor > history[0].monitor + 1


def test_progress_is_told_frame_by_frame(tmp_path: Path) -> None:
    told: list[int] = []
    run = trainer(tmp_path / "m.pt", replace(RECIPE, epochs=2))
    history = train(run, told.append)
    assert sum(told) == 2 * run.frames == 2 * sum(len(piece) for piece in PIECES[:4])
    assert [epoch.number for epoch in history] == [1, 2]


def test_the_same_seed_trains_the_same_model_and_another_seed_another(tmp_path: Path, uninterrupted: Trainer) -> None:
    same, other = trainer(tmp_path / "same.pt"), trainer(tmp_path / "other.pt", seed=4)
    train(same)
    train(other)
    assert_same_result(same, uninterrupted)
    assert not torch.equal(other.model.rbm.W, uninterrupted.model.rbm.W)


@pytest.mark.parametrize("epochs_done", [1, 2, 3])
def test_stopped_after_any_epoch_and_resumed_it_ends_where_it_would_have(
    tmp_path: Path, uninterrupted: Trainer, epochs_done: int
) -> None:
    def stop(epoch: Epoch) -> None:
        torch.rand(epoch.number)  # what else happens in the process makes no difference
        if epoch.number == epochs_done:
            raise Interruption

    with pytest.raises(Interruption):
        trainer(tmp_path / "m.pt").run(lambda _n: None, stop)
    resumed = trainer(tmp_path / "m.pt")
    assert resumed.resume() == epochs_done
    assert [epoch.number for epoch in train(resumed)] == list(range(epochs_done + 1, 5))
    assert_same_result(resumed, uninterrupted)


@pytest.mark.parametrize("updates_done", [1, 8, 13, 19])
def test_interrupted_in_the_middle_of_an_epoch_and_resumed_it_ends_where_it_would_have(
    tmp_path: Path, uninterrupted: Trainer, updates_done: int
) -> None:
    left = updates_done

    def interrupt(_frames: int) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(trainer(tmp_path / "m.pt"), interrupt)
    resumed = trainer(tmp_path / "m.pt")
    resumed.resume()
    train(resumed)
    assert_same_result(resumed, uninterrupted)


def test_more_epochs_may_be_asked_for(tmp_path: Path) -> None:
    train(trainer(tmp_path / "m.pt", replace(RECIPE, epochs=1)))
    more = trainer(tmp_path / "m.pt", replace(RECIPE, epochs=2))
    assert more.resume() == 1
    assert len(train(more)) == 1
    again = trainer(tmp_path / "m.pt", replace(RECIPE, epochs=2))
    assert again.resume() == 2
    assert train(again) == []


def test_with_nothing_to_resume_it_begins(tmp_path: Path) -> None:
    assert trainer(tmp_path / "m.pt").resume() == 0


LONG = replace(RECIPE, pretrain_frames=1, pretrain_core=2, average=0.9, persistent=True, optimiser="sgd", momentum=0.5)
NADE = replace(CONFIG, estimator="nade", tied=4)
EXACT = {
    "pretraining, momentum, averaging, persistent chains": (LONG, CONFIG),
    "Hessian-free": (replace(RECIPE, optimiser="hf", batch=32, epochs=2, pretrain_core=1), NADE),
    "without dropout, and the RBM after NADE": (
        replace(RECIPE, epochs=2, polish_epochs=1, rbm_epochs=2, average=0.9, patience=1),
        replace(NADE, estimator="both"),
    ),
}


@pytest.mark.parametrize("stopped_after", [1, 6, 11, 17])
@pytest.mark.parametrize("kind", EXACT)
def test_told_to_stop_it_keeps_where_it_is_and_goes_on_to_the_same_result(
    tmp_path: Path, kind: str, stopped_after: int
) -> None:
    recipe, config = EXACT[kind]
    reference = trainer(tmp_path / "reference.pt", recipe, config)
    train(reference)
    updates = 0

    def stop(_frames: int) -> None:
        nonlocal updates
        updates += 1
        run.stopping = updates >= stopped_after

    run = trainer(tmp_path / "m.pt", recipe, config)
    train(run, stop)
    resumed = trainer(tmp_path / "m.pt", recipe, config)
    resumed.resume()
    train(resumed)
    assert_same_result(resumed, reference)


def test_the_rbm_learns_alone_on_the_best_that_nade_has_taught(tmp_path: Path) -> None:
    config = replace(NADE, estimator="both")
    nade_only = trainer(tmp_path / "nade.pt", RECIPE, config)
    nade_only.learner.main = replace(nade_only.learner.main, cost=nade_only.learner.objective.of_nade, estimator="nade")
    run = trainer(tmp_path / "m.pt", replace(RECIPE, rbm_epochs=3, rbm_rate=0.05), config)
    histories = train(nade_only), train(run)
    assert results(histories[0]) == results(histories[1][:4])
    assert [epoch.estimator for epoch in histories[1]] == 4 * ["nade"] + 3 * ["rbm"]
    assert histories[1][-1].valid > histories[1][4].valid
    before, after = (checkpoint.load(each.out)[0].state_dict() for each in (nade_only, run))
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"rbm"}


def test_the_rate_of_the_rbm_falls_at_a_time_of_its_own(tmp_path: Path) -> None:
    both = replace(NADE, estimator="both")
    recipe = replace(RECIPE, epochs=1, learning_rate=0.0, rbm_epochs=2, final=0.0)
    rates = {"steady": (0.0, 1.0), "as steady": (1.0, 1.0), "falling": (1.0, 0.0)}
    runs = {
        name: train(trainer(tmp_path / f"{name}.pt", replace(recipe, constant=of_all, rbm_constant=of_rbm), both))
        for name, (of_all, of_rbm) in rates.items()
    }
    assert results(runs["steady"]) == results(runs["as steady"]) != results(runs["falling"])


def test_polishing_starts_from_the_best_and_drops_nothing_out(tmp_path: Path) -> None:
    deaf = replace(RECIPE, input_dropout=0.9, state_dropout=0.9)
    left = train(trainer(tmp_path / "left.pt", replace(deaf, polish_epochs=1, polish_rate=0.0), NADE))
    assert left[-1].valid == max(epoch.valid for epoch in left[:-1])
    assert left[-1].monitor > left[-2].monitor + 0.1, "what is dropped out is missed"
    polished = train(trainer(tmp_path / "m.pt", replace(deaf, polish_epochs=3, polish_rate=0.01), NADE))
    assert results(polished)[:-3] == results(left)[:-1]
    assert polished[-1].valid > left[-1].valid


def test_the_last_checkpoint_says_which_device_to_go_on_with(tmp_path: Path) -> None:
    assert device_before(tmp_path / "m.pt") == ""
    train(trainer(tmp_path / "m.pt", replace(RECIPE, epochs=1)))
    assert device_before(tmp_path / "m.pt") == "cpu"


def test_persistent_chains_are_enough_for_the_batches_of_every_phase(tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=1, pretrain_frames=1, rbm_epochs=1, rbm_batch=2, persistent=True)
    epochs = train(trainer(tmp_path / "m.pt", recipe, replace(NADE, estimator="both")))
    assert [epoch.estimator for epoch in epochs] == ["", "nade", "rbm"]


def test_more_persistent_chains_than_any_memory_holds_are_refused_in_a_line() -> None:
    with pytest.raises(ImprovError, match="memory"):
        Objective(SequenceModel(CONFIG), replace(RECIPE, persistent=True, batch=4096, length=10**10))


def test_the_rbm_can_learn_alone_only_beside_a_nade(tmp_path: Path) -> None:
    with pytest.raises(ImprovError, match="--estimator both"):
        trainer(tmp_path / "m.pt", replace(RECIPE, rbm_epochs=1))


def test_what_is_learned_after_patience_ran_out_is_kept(tmp_path: Path) -> None:
    recipe = replace(RECIPE, learning_rate=0.0, epochs=9, patience=2, polish_epochs=4, polish_rate=0.01)
    run = trainer(tmp_path / "m.pt", recipe, NADE)
    history = train(run)
    assert [epoch.number for epoch in history] == [1, 2, 3, 10, 11, 12, 13]
    assert run.best == history[-1].valid > history[0].valid
    kept, record = checkpoint.load(run.out)
    assert record["best_epoch"] == 13
    assert sketch(kept.eval(), run.valid, run.seed, "nade") == pytest.approx(run.best)


@pytest.mark.parametrize("rbm_epochs", [0, 2])
def test_out_of_patience_it_goes_on_to_what_comes_next(tmp_path: Path, rbm_epochs: int) -> None:
    recipe = replace(RECIPE, learning_rate=0.0, rbm_rate=0.0, epochs=9, patience=2, rbm_epochs=rbm_epochs)
    history = train(trainer(tmp_path / "m.pt", recipe, replace(NADE, estimator="both" if rbm_epochs else "nade")))
    assert [epoch.number for epoch in history] == [1, 2, 3, *[10, 11][:rbm_epochs]]


@pytest.mark.parametrize(
    "other",
    [
        {"recipe": replace(RECIPE, learning_rate=0.5)},
        {"recipe": replace(RECIPE, cd_steps=3)},
        {"config": replace(CONFIG, hidden=13)},
        {"config": replace(CONFIG, core="lstm")},
        {"seed": 4},
    ],
    ids=["learning rate", "cd steps", "hidden", "core", "seed"],
)
def test_it_does_not_resume_with_other_settings(uninterrupted: Trainer, other: dict[str, object]) -> None:
    run = trainer(uninterrupted.out, **other)  # type: ignore[arg-type]
    with pytest.raises(ImprovError, match="other settings"):
        run.resume()


def test_it_resumes_at_another_temperature(uninterrupted: Trainer) -> None:
    warm = replace(CONFIG, temperature=0.7, solo=1.2)
    assert trainer(uninterrupted.out, config=warm).resume() == len(uninterrupted.history)


def test_it_does_not_resume_where_the_best_model_is_gone(uninterrupted: Trainer) -> None:
    best = uninterrupted.out.read_bytes()
    uninterrupted.out.unlink()
    try:
        with pytest.raises(ImprovError, match="best model so far, is gone: put it back"):
            trainer(uninterrupted.out).resume()
    finally:
        uninterrupted.out.write_bytes(best)


def test_it_does_not_resume_to_fewer_epochs_than_are_done(uninterrupted: Trainer) -> None:
    fewer = replace(uninterrupted.recipe, **{uninterrupted.recipe.last_epochs: 1})
    with pytest.raises(ImprovError, match="epochs already: give as many at least, not"):
        trainer(uninterrupted.out, recipe=fewer).resume()


def test_it_does_not_resume_what_was_trained_with_a_setting_it_does_not_know(
    uninterrupted: Trainer, tmp_path: Path
) -> None:
    model, state = checkpoint.load(last_path(uninterrupted.out))
    state["recipe"]["label_smoothing"] = 0.1
    checkpoint.save(tmp_path / "m.last.pt", model, **state)
    with pytest.raises(ImprovError, match="label-smoothing"):
        trainer(tmp_path / "m.pt").resume()


def test_what_an_earlier_version_began_goes_on_at_the_rate_it_had_for_both(tmp_path: Path) -> None:
    both = replace(NADE, estimator="both")
    recipe = replace(RECIPE, epochs=1, rbm_epochs=2, constant=0.9, rbm_constant=0.9)
    reference, run = (trainer(tmp_path / f"{name}.pt", recipe, both) for name in ("reference", "m"))
    train(reference)
    run.run(lambda _n: None, lambda epoch: setattr(run, "stopping", epoch.number == 2))
    model, state = checkpoint.load(last_path(run.out))
    del state["recipe"]["rbm_constant"]
    checkpoint.save(last_path(run.out), model, **state)
    with pytest.raises(ImprovError, match=r"rbm-constant 0\.9, not 0\.4"):
        trainer(run.out, replace(recipe, rbm_constant=0.4), both).resume()
    resumed = trainer(run.out, recipe, both)
    resumed.resume()
    train(resumed)
    assert_same_result(resumed, reference)


def test_it_does_not_resume_with_other_data(uninterrupted: Trainer) -> None:
    run = Trainer(CONFIG, RECIPE, PIECES[:3], PIECES[4:], uninterrupted.out, seed=3)
    with pytest.raises(ImprovError, match="other data"):
        run.resume()


@pytest.mark.parametrize("training", [{}, {"recipe": 3}, {"history": [{"epoch": 1}]}, {"optimiser": None}], ids=str)
def test_it_does_not_resume_from_what_lacks_the_rest(
    tmp_path: Path, uninterrupted: Trainer, training: dict[str, object]
) -> None:
    model, state = checkpoint.load(last_path(uninterrupted.out))
    checkpoint.save(tmp_path / "m.last.pt", model, **({**state, **training} if training else {}))
    with pytest.raises(ImprovError, match="train anew"):
        trainer(tmp_path / "m.pt").resume()


def test_the_best_checkpoint_is_that_of_the_best_epoch(tmp_path: Path) -> None:
    weights: list[torch.Tensor] = []

    def spoil(epoch: Epoch) -> None:
        weights.append(run.model.rbm.W.detach().clone())
        if epoch.number == 2:
            run.model.rbm.b_v.data += 2

    run = trainer(tmp_path / "m.pt")
    run.run(lambda _n: None, spoil)
    best = max(run.history, key=lambda epoch: epoch.valid)
    assert best.number == 2
    assert (run.best, run.best_epoch) == (best.valid, best.number)
    model, training = checkpoint.load(run.out)
    assert torch.equal(model.rbm.W, weights[best.number - 1])
    assert training["best_epoch"] == best.number
    assert torch.equal(checkpoint.load(last_path(run.out))[0].rbm.W, weights[-1])


def test_without_validation_the_last_epoch_is_the_best(tmp_path: Path) -> None:
    run = Trainer(CONFIG, replace(RECIPE, epochs=2), PIECES[:2], [], tmp_path / "m.pt")
    assert all(math.isnan(epoch.valid) for epoch in train(run))
    assert run.best_epoch == 2


def test_a_model_that_diverges_never_replaces_the_best(tmp_path: Path) -> None:
    run = trainer(tmp_path / "m.pt")

    def poison(epoch: Epoch) -> None:
        if epoch.number == 2:
            run.model.rbm.W.data[0, 0] = math.nan

    with pytest.raises(ImprovError, match="diverged in epoch 3"):
        run.run(lambda _n: None, poison)
    assert checkpoint.load(run.out)[1]["best_epoch"] <= 2
    assert len(checkpoint.load(last_path(run.out))[1]["history"]) == 2


def test_one_update_is_the_analytic_gradient_of_contrastive_divergence_at_the_sample(tmp_path: Path) -> None:
    recipe = Recipe(
        epochs=1, cd_steps=3, batch=1, length=10_000, optimiser="sgd", learning_rate=0.1, clip=0, input_dropout=0,
        state_dropout=0, constant=1, weight_decay=0,
    )  # fmt: skip
    run = Trainer(CONFIG, recipe, PIECES[:1], [], tmp_path / "m.pt", seed=5)
    before = {name: tensor.clone() for name, tensor in run.model.state_dict().items()}
    batch = run.batches.make(1, run.batches.epoch(1, recipe)[0], recipe)
    train(run)
    model = SequenceModel(CONFIG)
    model.load_state_dict(before)
    old = model.rbm
    assert old is not None
    with torch.no_grad():
        v = batch.v[0]
        past = model.pasts(batch.heard)[0].at(0)
        b_v, b_h = old.biases(past)
        rng = random_state(batch.seeds[0])
        drawn, _ = negative_samples(old.W.numpy(), b_v.numpy(), b_h.numpy(), v.numpy(), 3, rng)
        sample = torch.from_numpy(drawn).float()
        h, h_sample = torch.sigmoid(v @ old.W + b_h), torch.sigmoid(sample @ old.W + b_h)
        steps = {
            "W": v.T @ h - sample.T @ h_sample,
            "b_v": (v - sample).sum(0),
            "b_h": (h - h_sample).sum(0),
            "W_uv": past.u.T @ (v - sample),
            "W_uh": past.u.T @ (h - h_sample),
        }
    for name, step in steps.items():
        expected = before[f"rbm.{name}"] + 0.1 * step / len(v)
        now = run.model.get_parameter(f"rbm.{name}").data
        torch.testing.assert_close(now, expected, rtol=0, atol=1e-6, msg=name)


def test_the_gradient_reaches_the_recurrent_net_through_the_biases(tmp_path: Path) -> None:
    run = trainer(tmp_path / "m.pt", replace(RECIPE, epochs=1), replace(CONFIG, learn_u0=True))
    before = {name: parameter.detach().clone() for name, parameter in run.model.named_parameters()}
    train(run)
    assert [name for name, old in before.items() if torch.equal(old, run.model.get_parameter(name))] == []


def test_visible_biases_begin_at_the_base_rates(tmp_path: Path) -> None:
    run = trainer(tmp_path / "m.pt")
    rates = np.concatenate([piece.frames for piece in PIECES[:4]]).mean(0).ravel()
    np.testing.assert_allclose(torch.sigmoid(run.model.rbm.b_v.detach()), rates, atol=2e-3)
    assert not trainer(tmp_path / "m.pt", replace(RECIPE, base_rates=False)).model.rbm.b_v.any()


def test_pieces_of_other_pitches_are_refused(tmp_path: Path) -> None:
    narrow = PianoRoll(np.zeros((8, 2, 40), np.uint8), GRID, 40)
    with pytest.raises(ImprovError, match="covers 40 pitches from 40"):
        Trainer(CONFIG, RECIPE, [narrow], [], tmp_path / "m.pt")


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"cd_steps": 0}, {"learning_rate": math.nan}, {"state_dropout": 1.0}])
def test_a_recipe_out_of_range_is_refused(tmp_path: Path, wrong: dict[str, float]) -> None:
    with pytest.raises(ImprovError, match=f"{next(iter(wrong))} must lie in"):
        trainer(tmp_path / "m.pt", replace(RECIPE, **wrong))  # type: ignore[arg-type]


def test_with_recall_it_learns_what_returns_in_music_that_it_never_heard(tmp_path: Path) -> None:
    """Pieces of random chords, played twice: nothing else can be foreseen in them."""
    chords = [np.random.default_rng(seed).random((32, 12)) < 0.3 for seed in range(10)]
    pieces = [PianoRoll.from_sounding(np.tile(piece, (2, 1)).astype(np.uint8), GRID, low=60) for piece in chords]
    config = Config("nade", hidden=1, core="gru", recurrent=4, tied=8, onsets=False, bars=False, low=60, n_pitches=12)
    recipe = Recipe(epochs=25, batch=4, learning_rate=0.02, input_dropout=0.0, state_dropout=0.0)
    best = []
    for recall in (False, True):
        made = Trainer(replace(config, recall=recall), recipe, pieces[:8], pieces[8:], tmp_path / f"{recall}.pt")
        made.run(lambda _frames: None, lambda _epoch: None)
        best.append(made.best)
    without, with_recall = best
    entropy = -12 * (0.3 * math.log(0.3) + 0.7 * math.log(0.7))
    assert without < -0.95 * entropy
    assert with_recall > -0.7 * entropy, "half of the frames, which are known, cost it little"

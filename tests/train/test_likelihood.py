import numpy as np
import pytest
import torch
from tiny_rbm import TinyRbm, states
from torch import Tensor

from improv.model import rbm
from improv.model.config import Config
from improv.model.core import Past
from improv.model.nade import log_probability
from improv.model.sequence_model import SequenceModel
from improv.music.pianoroll import PianoRoll
from improv.music.recall import Recall
from improv.train import likelihood
from improv.train.likelihood import Every, Partition, ais, importance, rbm_likelihood, sketch, stretches

FRAMES = [TinyRbm.random(8, 6, seed=0, scale=1.5)]
FRAMES += [
    TinyRbm(FRAMES[0].weights, TinyRbm.random(8, 6, seed).b_v, TinyRbm.random(8, 6, seed).b_h) for seed in range(1, 12)
]
WEIGHTS = FRAMES[0].weights
B_V, B_H = torch.stack([frame.b_v for frame in FRAMES]), torch.stack([frame.b_h for frame in FRAMES])
TRUTH = torch.tensor([frame.log_z() for frame in FRAMES])


def estimate(chains: int = 64, betas: int = 100, seed: int = 0) -> Partition:
    """AIS over the frames, whose weights they share and whose biases are their own."""
    return ais(WEIGHTS, B_V, B_H, chains, betas, torch.Generator().manual_seed(seed))


def test_log_z_is_the_enumerated_one() -> None:
    assert (estimate(256, 300).log_z - TRUTH).abs().max() < 0.05


@pytest.mark.parametrize(("chains", "betas"), [(16, 100), (64, 30)])
def test_the_error_it_states_covers_the_truth_and_promises_little_more(chains: int, betas: int) -> None:
    parts = [estimate(chains, betas, seed) for seed in range(10)]
    scores = torch.cat([(part.log_z - TRUTH) / part.variance.sqrt() for part in parts])
    assert (scores.abs() < 3).float().mean() > 0.95
    assert scores.square().mean().sqrt() > 0.5, "an error far too large would cover anything"


def test_more_work_errs_less() -> None:
    assert estimate(64, 300).variance.mean() < estimate(16, 30).variance.mean() / 4


def test_machines_without_weights_need_no_annealing() -> None:
    flat = ais(torch.zeros(8, 6), B_V, B_H, 2, 1, torch.Generator().manual_seed(0))
    exact = torch.log1p(B_V.exp()).sum(1) + torch.log1p(B_H.exp()).sum(1)
    torch.testing.assert_close(flat.log_z, exact)
    assert flat.variance.max() < 1e-10


def test_the_particles_are_samples_of_every_frame() -> None:
    particles = estimate(2000, 100).particles
    for frame, drawn in zip(FRAMES, particles, strict=True):
        torch.testing.assert_close(drawn.double().mean(0), frame.marginals(), rtol=0, atol=0.06)


def test_log_likelihoods_of_all_states_sum_to_one() -> None:
    log_p = -rbm.free_energy(states(8), WEIGHTS, B_V[0], B_H[0]) - estimate(256, 300).log_z[0]
    assert float(log_p.logsumexp(0)) == pytest.approx(0, abs=0.05)


def small_model(estimator: str, tied: int = 0, core: str = "tanh", recall: bool = False) -> SequenceModel:
    """One whose frames depend on the past, and small enough for enumeration."""
    torch.manual_seed(0)
    size = {"hidden": 5, "recurrent": 4, "tied": tied, "low": 60, "n_pitches": 6}
    config = Config(estimator=estimator, core=core, onsets=False, bars=False, recall=recall, **size)
    model = SequenceModel(config).eval().requires_grad_(False)
    scale = 0.4 if tied else 0.7  # a tied weight is the sum of three
    for name, parameter in model.named_parameters():
        parameter.normal_(std=0.1 if "nade" in name else scale)  # proposals spread over all frames
    return model


def exact(model: SequenceModel, v: Tensor, past: Past) -> Tensor:
    """log P of frames v [N, 6] under the model's RBM, by enumeration."""
    assert model.rbm is not None
    index = (v.long() << torch.arange(6)).sum(1)
    frames = zip(index, *model.rbm.biases(past), strict=True)
    return torch.stack([TinyRbm(model.rbm.W, b_v, b_h).visible().log()[i] for i, b_v, b_h in frames])


@pytest.mark.parametrize("estimator", ["rbm", "both"])
def test_every_frame_is_estimated_in_its_place(monkeypatch: pytest.MonkeyPatch, estimator: str) -> None:
    monkeypatch.setattr(likelihood, "CHUNK", 5)
    model, roll = small_model(estimator, tied=3), random_roll()
    ((v, _, past),) = stretches(model, [roll])
    found = rbm_likelihood(model, v, past, 1000, 200, torch.Generator().manual_seed(0))
    truth = exact(model, v, past).float()
    assert (found.log_p - truth).abs().max() < 0.3
    assert found.particles.shape == (12, 1000, 6)
    assert truth.std() > 0.5, "frames out of place would be noticed"


def test_proposals_of_nade_find_the_partition_function() -> None:
    model, roll = small_model("both"), random_roll()
    ((v, _, past),) = stretches(model, [roll])
    assert model.rbm is not None
    b_v, b_h = model.rbm.biases(past)
    log_z, _ = importance(model, past, b_v, b_h, 3000, torch.Generator().manual_seed(0))
    log_p = -rbm.free_energy(v, model.rbm.W, b_v, b_h) - log_z
    torch.testing.assert_close(log_p, exact(model, v, past).float(), rtol=0, atol=0.2)


def test_beside_a_nade_the_more_cautious_of_both_estimates_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    model, roll = small_model("both"), random_roll()
    ((v, _, past),) = stretches(model, [roll])
    fair = rbm_likelihood(model, v, past, 64, 100, torch.Generator().manual_seed(0)).log_p
    monkeypatch.setattr(likelihood, "importance", lambda *_args: (torch.full((len(v),), 50.0), torch.zeros(len(v))))
    assert (rbm_likelihood(model, v, past, 64, 100, torch.Generator().manual_seed(0)).log_p < fair - 10).all()


def test_a_nade_is_chosen_by_its_exact_likelihood() -> None:
    model, rolls = small_model("nade"), [random_roll(seed) for seed in range(3)]
    assert model.nade is not None
    log_p = torch.cat([log_probability(model.nade, v, past) for v, _, past in stretches(model, rolls)])
    assert sketch(model, rolls, seed=0, estimator="nade") == pytest.approx(float(log_p.mean()))


def random_roll(seed: int = 0) -> PianoRoll:
    """Twelve random frames of six pitches."""
    sounding = np.random.default_rng(seed).integers(0, 2, (12, 6)).astype(np.uint8)
    return PianoRoll.from_sounding(sounding, 0.25, 60)


def test_every_so_manieth_frame_is_taken_across_pieces_however_short() -> None:
    lengths = [3, 1, 0, 7, 2, 12, 4]
    numbers = torch.arange(sum(lengths)).float()
    pieces = numbers.split(lengths)
    picked = Every(5)
    taken = torch.cat([v[picked.of(len(v))] for v in pieces])
    assert taken.tolist() == [2, 7, 12, 17, 22, 27]


@pytest.mark.parametrize("recall", [False, True])
@pytest.mark.parametrize("core", ["gru", "lstm"])
def test_a_long_piece_is_taken_in_stretches_that_know_what_came_before_in_it(
    monkeypatch: pytest.MonkeyPatch, core: str, recall: bool
) -> None:
    model = small_model("both", tied=3, core=core, recall=recall)
    rolls = [random_roll(seed) for seed in range(2)]
    whole = list(stretches(model, rolls))
    for piece, roll in zip(whole, rolls, strict=True):
        inputs = model.inputs(roll.frames, 0, 4.0, Recall(6).hear(roll.frames))
        torch.testing.assert_close(piece.past.u, model.pasts(inputs.unsqueeze(0))[0].u[0])
    monkeypatch.setattr(likelihood, "STRETCH", 5)
    parts = list(stretches(model, rolls))
    assert [len(part.v) for part in parts] == [5, 5, 2, 5, 5, 2]
    for first, piece in zip((0, 3), whole, strict=True):
        some = parts[first : first + 3]
        assert torch.equal(torch.cat([part.v for part in some]), piece.v)
        torch.testing.assert_close(torch.cat([part.past.u for part in some]), piece.past.u)
        torch.testing.assert_close(torch.cat([part.past.s for part in some]), piece.past.s)
        assert not some[0].before.any()
        assert torch.equal(some[1].before, piece.v[4])

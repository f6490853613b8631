import pytest
import torch
from tiny_rbm import TinyRbm, states

from improv.model import rbm
from improv.train import likelihood
from improv.train.likelihood import Partition, ais, in_chunks

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


def test_in_chunks_every_frame_is_estimated_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likelihood, "CHUNK", 5)
    done: list[int] = []
    whole = in_chunks(WEIGHTS, B_V, B_H, 64, 100, torch.Generator().manual_seed(0), done.append)
    assert done == [5, 5, 2]
    assert (whole.log_z - TRUTH).abs().max() < 0.2
    assert (whole.variance.shape, whole.particles.shape) == ((12,), (12, 64, 8))
    assert TRUTH.std() > 0.5, "frames out of place would be noticed"

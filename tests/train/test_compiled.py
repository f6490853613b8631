import copy
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tiny_rbm import TinyRbm, frequencies, total_variation
from torch import Tensor

from improv.model import rbm
from improv.model.config import Config
from improv.model.sequence_model import SequenceModel
from improv.sampling import kernels
from improv.train.compiled import CompiledSgd, negative_samples

PLAIN: dict[str, Any] = {"onsets": False, "bars": False}
KINDS: dict[str, dict[str, Any]] = {
    "tutorial": PLAIN,
    "bars told": {"hidden": 30, "recurrent": 20},
    "u0 learned": {**PLAIN, "hidden": 30, "recurrent": 20, "learn_u0": True},
}

every_kind = pytest.mark.parametrize("kind", KINDS)


def made(kind: str) -> SequenceModel:
    """A model of the kind, its weights so large that everything in it matters, yet not chaotic."""
    torch.manual_seed(1)
    model = SequenceModel(Config(**KINDS[kind]))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.normal_(std=0.08)
    return model


def music(model: SequenceModel, length: int, seed: int = 0) -> NDArray[np.uint8]:
    """Inputs of a subsequence: some five notes a frame, most of them held on."""
    rng = np.random.default_rng(seed)
    frames = (rng.random((length, 2, model.config.n_pitches)) < 0.06).astype(np.uint8)
    frames[1::2] = frames[::2][: length // 2]
    return model.inputs(frames, 0, 4.0).numpy().astype(np.uint8)


def by_autograd(model: SequenceModel, inputs: NDArray[np.uint8], sample: NDArray[np.uint8]) -> dict[str, Tensor]:
    """What torch finds, in double precision."""
    exact = copy.deepcopy(model).double()
    assert exact.rbm is not None
    x, end = torch.from_numpy(inputs).double(), torch.from_numpy(sample).double()
    v = x[:, : model.config.n_visible]
    past, _ = exact.pasts(x.unsqueeze(0))
    b_v, b_h = (bias[0] for bias in exact.rbm.biases(past))
    energies = [rbm.free_energy(frames, exact.rbm.W, b_v, b_h) for frames in (v, end)]
    (energies[0] - energies[1]).mean().backward()  # type: ignore[no-untyped-call]
    return {name: parameter.grad for name, parameter in exact.named_parameters() if parameter.grad is not None}


@every_kind
@pytest.mark.parametrize("length", [1, 2, 100])
def test_the_gradients_are_those_of_autograd(kind: str, length: int) -> None:
    model = made(kind)
    inputs, sample = music(model, length), music(model, length, seed=1)[:, : model.config.n_visible]
    sgd = CompiledSgd(model, cd_steps=1)
    u = sgd.states(inputs)
    found = sgd.gradients(inputs, u, sgd.biases(u)[1], np.ascontiguousarray(sample))
    expected = by_autograd(model, inputs, sample)
    assert expected.keys() <= found.keys()
    for name, gradient in expected.items():
        assert (found[name] - gradient).norm() <= 1e-4 * gradient.norm(), name
        assert length < 3 or gradient.norm() > 1e-3, f"{name} would pass whatever it were"


@every_kind
def test_an_update_is_a_step_down_the_gradient_at_its_own_sample(kind: str) -> None:
    model = made(kind)
    before, inputs = copy.deepcopy(model), music(model, 40)
    sgd = CompiledSgd(model, cd_steps=3, seed=5)
    rng = sgd.rng.copy()
    monitor = sgd.update(inputs, learning_rate=0.1)

    assert before.rbm is not None
    past, _ = before.pasts(torch.from_numpy(inputs).float().unsqueeze(0))
    b_v, b_h = (bias[0].detach().numpy() for bias in before.rbm.biases(past))
    v = inputs[:, : model.config.n_visible]
    sample, logits = negative_samples(before.rbm.W.detach().numpy(), b_v, b_h, v, 3, rng)
    expected = by_autograd(before, inputs, sample)
    for (name, after), old in zip(model.named_parameters(), before.parameters(), strict=True):
        torch.testing.assert_close(after, old - 0.1 * expected[name].float() if name in expected else old)
    of_torch = rbm.reconstruction_log_likelihood(torch.from_numpy(v).float(), torch.from_numpy(logits)).sum()
    assert monitor == pytest.approx(float(of_torch), rel=1e-4)


def test_the_initial_state_stays_where_it_is_unless_it_is_to_be_learned() -> None:
    for kind, learned in (("tutorial", False), ("u0 learned", True)):
        model = made(kind)
        before = model.cores.u0.clone()
        CompiledSgd(model, cd_steps=2).update(music(model, 20), 0.1)
        assert torch.equal(model.cores.u0, before) != learned


def test_it_learns() -> None:
    torch.manual_seed(0)
    model = SequenceModel(Config(**PLAIN))
    sgd, inputs = CompiledSgd(model, cd_steps=5), np.tile(music(model, 4), (12, 1))
    curve = [sgd.update(inputs, 0.05) / len(inputs) for _ in range(300)]
    assert curve[0] == pytest.approx(-88 * np.log(2), rel=0.02), "a fresh model knows nothing"
    assert np.mean(curve[-20:]) > -5


def test_the_same_seed_and_epoch_give_the_same_model_to_the_bit() -> None:
    def trained(*seed: int) -> bytes:
        model = made("bars told")
        sgd = CompiledSgd(model, cd_steps=4)
        sgd.rng = kernels.random_state(*seed)
        monitor = sum(sgd.update(music(model, 30, seed=n), 0.01) for n in range(5))
        return b"".join(p.detach().numpy().tobytes() for p in model.parameters()) + np.float64(monitor).tobytes()

    assert trained(3, 7) == trained(3, 7)
    assert len({trained(3, 7), trained(3, 8), trained(4, 7)}) == 3


def test_the_monitor_is_finite_where_the_model_is_sure_and_wrong() -> None:
    model = made("tutorial")
    assert model.rbm is not None
    model.rbm.b_v.data.fill_(-1000)
    assert -1e6 < CompiledSgd(model, cd_steps=2).update(music(model, 10), 0.0) < -1000


def test_negative_samples_follow_the_enumerated_distribution() -> None:
    tiny = TinyRbm.random(seed=5)
    b_v, b_h = (bias.expand(20_000, -1).numpy() for bias in (tiny.b_v, tiny.b_h))
    start = np.zeros(b_v.shape, np.float32)
    sample, logits = negative_samples(tiny.weights.numpy(), b_v, b_h, start, 20, kernels.random_state(0))
    assert total_variation(frequencies(torch.from_numpy(sample)), tiny.visible()) < 0.03
    np.testing.assert_allclose(torch.from_numpy(logits).sigmoid().mean(0), tiny.marginals(), atol=0.02)
    assert not start.any(), "the start is the caller's, and is left alone"


@pytest.mark.parametrize("other", [{"core": "gru"}, {"core": "lstm"}, {"estimator": "nade"}, {"tied": 4}])
def test_other_models_are_left_to_torch(other: dict[str, Any]) -> None:
    config = Config(**{"hidden": 4, "recurrent": 4, **other})
    assert not CompiledSgd.fits(config)
    with pytest.raises(ValueError, match="tanh core with an RBM"):
        CompiledSgd(SequenceModel(config), cd_steps=1)

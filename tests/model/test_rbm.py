import pytest
import torch
import torch.nn.functional as F
from tiny_rbm import TinyRbm, frequencies, states, total_variation

from improv.model import rbm
from improv.model.config import Config
from improv.model.core import Past


@pytest.fixture
def tiny() -> TinyRbm:
    return TinyRbm.random(seed=3, scale=1.5)


def test_free_energy_is_what_is_left_when_every_hidden_state_is_summed_over(tiny: TinyRbm) -> None:
    enumerated = -tiny.log_joint().logsumexp(1)
    computed = rbm.free_energy(states(6), tiny.weights, tiny.b_v, tiny.b_h)
    torch.testing.assert_close(computed.double(), enumerated, rtol=0, atol=1e-5)


def test_free_energy_differs_by_frame_where_the_biases_do(tiny: TinyRbm) -> None:
    v, b_v = states(6)[[5, 9]], torch.stack([tiny.b_v, tiny.b_v + 1])
    both = rbm.free_energy(v, tiny.weights, b_v, tiny.b_h)
    alone = [rbm.free_energy(v[i], tiny.weights, b_v[i], tiny.b_h) for i in range(2)]
    torch.testing.assert_close(both, torch.stack(alone))


def test_the_gradient_of_the_free_energy_is_the_analytic_one(tiny: TinyRbm) -> None:
    v = states(6)[37]
    weights, b_v, b_h = (tensor.clone().requires_grad_() for tensor in (tiny.weights, tiny.b_v, tiny.b_h))
    rbm.free_energy(v, weights, b_v, b_h).backward()
    h = torch.sigmoid(v @ tiny.weights + tiny.b_h)
    torch.testing.assert_close(weights.grad, -torch.outer(v, h))
    torch.testing.assert_close(b_v.grad, -v)
    torch.testing.assert_close(b_h.grad, -h)


@pytest.mark.parametrize("temperature", [0.7, 1.0, 1.3])
def test_one_gibbs_step_draws_from_the_enumerated_conditionals(tiny: TinyRbm, temperature: float) -> None:
    start = 13
    joint = tiny.log_joint(temperature)  # [v, h]
    transition = joint[start].softmax(0) @ joint.T.softmax(1)  # sum over h of P(h | v) P(v' | h)
    n = 40_000
    v, _ = rbm.gibbs(
        states(6)[start].expand(n, -1),
        tiny.weights,
        tiny.b_v,
        tiny.b_h,
        1,
        torch.Generator().manual_seed(0),
        temperature,
    )
    assert total_variation(frequencies(v), transition) < 0.03
    assert total_variation(tiny.visible(temperature), transition) > 0.06  # the bound tells the two apart


def test_the_logits_of_a_step_are_those_its_units_were_drawn_from(tiny: TinyRbm) -> None:
    v, logits = rbm.gibbs(torch.zeros(40_000, 6), tiny.weights, tiny.b_v, tiny.b_h, 3, torch.Generator().manual_seed(0))
    p = torch.sigmoid(logits)
    for low in (0.0, 0.25, 0.5, 0.75):
        chosen = (p >= low) & (p < low + 0.25)
        assert abs(float(v[chosen].mean() - p[chosen].mean())) < 0.02


def test_nothing_is_differentiated_through_a_sample(tiny: TinyRbm) -> None:
    weights = tiny.weights.clone().requires_grad_()
    v, logits = rbm.gibbs(torch.zeros(3, 6), weights, tiny.b_v, tiny.b_h, 2)
    assert not v.requires_grad
    assert not logits.requires_grad


def test_pseudo_log_likelihood_is_that_of_every_unit_given_all_others(tiny: TinyRbm) -> None:
    log_p = tiny.visible().log()
    index = torch.arange(64)
    of_each = [log_p - torch.logaddexp(log_p, log_p[index ^ (1 << unit)]) for unit in range(6)]
    computed = rbm.pseudo_log_likelihood(states(6), tiny.weights, tiny.b_v, tiny.b_h)
    torch.testing.assert_close(computed.double(), torch.stack(of_each).sum(0), rtol=0, atol=1e-5)


def test_the_monitor_is_the_log_probability_of_independent_units() -> None:
    v, logits = states(4)[6], torch.tensor([0.3, -1.0, 2.0, 0.0])
    p = torch.sigmoid(logits)
    expected = (v * p.log() + (1 - v) * (1 - p).log()).sum()
    torch.testing.assert_close(rbm.reconstruction_log_likelihood(v, logits), expected)


@pytest.mark.parametrize("scale", [1e2, 1e4, 1e6])
def test_every_figure_is_finite_however_saturated_the_weights(scale: float) -> None:
    weights = scale * TinyRbm.random(seed=1).weights.sign()
    b_v, b_h = scale * torch.ones(6), -scale * torch.ones(5)
    v = states(6)
    _, logits = rbm.gibbs(v, weights, b_v, b_h, 5, torch.Generator().manual_seed(0))
    assert rbm.reconstruction_log_likelihood(v, logits).isfinite().all()
    assert rbm.pseudo_log_likelihood(v, weights, b_v, b_h).isfinite().all()
    assert rbm.free_energy(v, weights, b_v, b_h).isfinite().all()


def test_the_naive_monitor_would_not_be_finite() -> None:
    v, logits = torch.tensor([0.0]), torch.tensor([1e4])
    assert F.binary_cross_entropy(torch.sigmoid(logits), v) <= 100  # torch itself must clamp the logarithm here
    assert (1 - torch.sigmoid(logits)).log().isinf()
    assert rbm.reconstruction_log_likelihood(v, logits) == -1e4


def test_tied_weights_depend_on_the_interval_alone() -> None:
    config = Config(estimator="both", tied=3, hidden=16, low=40, n_pitches=8)
    torch.manual_seed(0)
    net = rbm.TiedRbm(config)
    weights = net.W.detach().view(2, 8, 8, 2)  # channel, pitch, pitch of the hidden unit, which of its units
    assert torch.equal(weights[:, 1:, 1:], weights[:, :-1, :-1])
    assert not torch.equal(weights[:, 1:, :-1], weights[:, :-1, :-1])


def test_tied_biases_of_a_pitch_follow_what_that_pitch_remembers() -> None:
    config = Config(estimator="both", tied=3, hidden=16, recurrent=4, low=40, n_pitches=8, onsets=False)
    torch.manual_seed(0)
    net, s = rbm.TiedRbm(config), torch.randn(1, 8, 3)
    other = s.clone()
    other[0, 5] *= -3
    (b_v, b_h), (b_v_other, b_h_other) = (net.biases(Past(torch.zeros(1, 4), each)) for each in (s, other))
    assert (b_v != b_v_other).nonzero()[:, 1].tolist() == [5]
    assert set((b_h.view(8, 2) != b_h_other.view(8, 2)).nonzero()[:, 0].tolist()) == {5}

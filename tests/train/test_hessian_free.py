from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from small_music import GRID, rolls
from torch import Tensor, nn

from improv.model.config import CORES, Config
from improv.model.core import Past
from improv.model.nade import log_probability
from improv.model.sequence_model import SequenceModel
from improv.train.hessian_free import (
    GaussNewton,
    HessianFree,
    backtrack,
    conjugate_gradients,
    line_search,
)

UPDATES = 6
KINDS = {"tanh": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class Predictor(nn.Module):
    """A recurrent net with 4 units that foretells the next of 3 inputs, over 2 sequences of 6 steps."""

    def __init__(self, core: str, dtype: torch.dtype) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.v = (torch.rand(2, 7, 3) < 0.4).to(dtype)
        self.core = KINDS[core](3, 4, batch_first=True)
        self.out = nn.Linear(4, 3)
        self.to(dtype)

    def logits(self) -> Tensor:
        return self.out(self.core(self.v[:, :-1])[0])

    def loss(self, logits: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(logits, self.v[:, 1:], reduction="sum") / 12

    def gauss_newton(self) -> GaussNewton:
        return GaussNewton(list(self.parameters()), self.logits(), self.loss)

    def jacobian(self) -> Tensor:
        """Of all logits by all parameters, one row after another."""
        z = self.logits().flatten()
        rows = [torch.autograd.grad(unit, list(self.parameters()), retain_graph=True) for unit in z]
        return torch.stack([torch.cat([part.flatten() for part in row]) for row in rows])

    def matrix(self) -> Tensor:
        """J^T p (1 - p) J / N."""
        p = torch.sigmoid(self.logits().detach().flatten())
        jacobian = self.jacobian()
        return jacobian.T @ torch.diag(p * (1 - p) / 12) @ jacobian


class Music:
    """A tiny RNN-NADE and a few pieces for it to learn."""

    def __init__(self, core: str = "gru", seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.model = SequenceModel(Config("nade", hidden=10, core=core, recurrent=10, grid=GRID, onsets=False))
        self.inputs = torch.stack([self.model.inputs(roll.frames, 0, 4.0) for roll in rolls(3, bars=1)])
        self.v = self.inputs[..., : self.model.config.n_visible].flatten(0, 1)

    def logits(self) -> Tensor:
        assert self.model.nade is not None
        return self.model.nade.logits(self.v, self.past())

    def past(self) -> Past:
        return Past(self.model.pasts(self.inputs)[0].u.flatten(0, 1))

    def loss(self, logits: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(logits, self.v, reduction="sum") / len(self.v)

    def now(self) -> float:
        return self.loss(self.logits()).item()

    def train(self, updates: int, optimiser: HessianFree) -> list[float]:
        return [optimiser.step(self.logits, self.loss) for _ in range(updates)]


def quadratic(n: int = 6) -> tuple[Tensor, Tensor]:
    """A positive definite matrix and a vector."""
    generator = torch.Generator().manual_seed(5)
    root = torch.randn(n, n, generator=generator, dtype=torch.float64)
    return root @ root.T + torch.eye(n), torch.randn(n, generator=generator, dtype=torch.float64)


def same(x: Tensor) -> Tensor:
    return x


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-4)])
@pytest.mark.parametrize("core", CORES)
def test_products_are_those_of_the_explicit_matrix(core: str, dtype: torch.dtype, tolerance: float) -> None:
    net = Predictor(core, dtype)
    model, expected = net.gauss_newton(), net.matrix()
    products = torch.stack([model.times(unit) for unit in torch.eye(len(expected), dtype=dtype)])
    assert expected.abs().max() > 0.01
    torch.testing.assert_close(products, expected, rtol=tolerance, atol=tolerance * float(expected.abs().max()))


def test_the_gradient_and_the_foretold_change_are_right() -> None:
    net = Predictor("gru", torch.float64)
    model = net.gauss_newton()
    net.loss(net.logits()).backward()
    torch.testing.assert_close(model.gradient, torch.cat([p.grad.flatten() for p in net.parameters()]))
    assert model.loss == net.loss(net.logits()).item()
    update = torch.randn_like(model.gradient)
    torch.testing.assert_close(
        model.change(update), float(model.gradient @ update + update @ net.matrix() @ update / 2)
    )


def test_the_estimated_diagonal_is_right_on_average() -> None:
    net = Predictor("tanh", torch.float64)
    model = net.gauss_newton()
    rng = torch.Generator().manual_seed(0)
    estimate = torch.stack([model.diagonal(rng) for _ in range(300)]).mean(0)
    torch.testing.assert_close(estimate, net.matrix().diagonal(), rtol=0.2, atol=1e-4)


def test_conjugate_gradients_solve_the_system() -> None:
    matrix, b = quadratic()
    expected = torch.linalg.solve(matrix, b)
    for precondition in (same, lambda r: r / matrix.diagonal()):
        x = conjugate_gradients(lambda x: matrix @ x, b, torch.ones_like(b), precondition, 6)[-1]
        torch.testing.assert_close(x, expected)
    assert conjugate_gradients(lambda x: matrix @ x, b, expected, same, 0)[-1] is expected


def test_conjugate_gradients_stop_when_little_is_gained() -> None:
    scales = torch.logspace(0, 4, 500, dtype=torch.float64)
    taken = 0

    def times(x: Tensor) -> Tensor:
        nonlocal taken
        taken += 1
        return scales * x

    x = conjugate_gradients(times, torch.ones_like(scales), torch.zeros_like(scales), same, 500)[-1]
    assert 10 < taken < 250
    assert x.sum() > 0.9 * (1 / scales).sum()  # the gain of the exact solution is half its sum


def test_backtracking_goes_back_while_the_loss_falls() -> None:
    solutions = [torch.tensor([x]) for x in (0.0, 1.0, 2.0, 3.0, 4.0)]
    losses = {0.0: -9.0, 1.0: 5.0, 2.0: 1.0, 3.0: 2.0, 4.0: float("inf")}
    assert backtrack(solutions, lambda x: losses[float(x)]) == (solutions[2], 1.0)


def test_the_line_search_shortens_and_gives_up() -> None:
    update = torch.tensor([4.0])
    found = line_search(update, lambda x: float((x - 1) ** 2), 1.0, -8.0)
    assert 0 < found < 2
    assert not line_search(update, lambda x: 1.0 + float(x), 1.0, 4.0).any()


def test_a_quadratic_is_solved_in_one_step() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(30, 5, dtype=torch.float64), torch.randn(30, dtype=torch.float64)
    weights = nn.Parameter(torch.zeros(5, dtype=torch.float64))
    HessianFree([weights], damping=1e-9).step(lambda: x @ weights, lambda z: ((z - y) ** 2).sum())
    torch.testing.assert_close(weights.detach(), torch.linalg.lstsq(x, y.unsqueeze(1)).solution[:, 0])


@pytest.mark.parametrize("core", CORES)
def test_it_learns_music_faster_than_gradient_descent(core: str) -> None:
    music = Music(core)
    losses = [*music.train(UPDATES, HessianFree(music.model.parameters())), music.now()]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.8 * min(by_descent(core, rate) for rate in (0.1, 0.3, 1.0, 3.0))


def by_descent(core: str, rate: float) -> float:
    """The loss after as many updates of plain gradient descent."""
    music = Music(core)
    optimiser = torch.optim.SGD(music.model.parameters(), lr=rate)
    for _ in range(UPDATES):
        optimiser.zero_grad()
        music.loss(music.logits()).backward()
        optimiser.step()
    return music.now()


def test_the_loss_is_that_of_the_exact_likelihood() -> None:
    music = Music()
    log_p = log_probability(music.model.nade, music.v, music.past())
    assert music.train(1, HessianFree(music.model.parameters()))[0] == pytest.approx(-log_p.mean().item())


def test_the_damping_falls_where_the_model_is_right_and_rises_where_it_is_not() -> None:
    weights = nn.Parameter(torch.ones(1, dtype=torch.float64))
    right = HessianFree([weights], damping=1.0)
    right.step(lambda: 2 * weights, lambda z: (z**2).sum())
    assert right.damping < 1

    def steep() -> Tensor:  # a straight line beyond which the loss soon rises
        return weights + 50 * weights**3

    weights.data.fill_(0.01)
    wrong = HessianFree([weights], damping=1e-6)
    before = wrong.step(steep, lambda z: ((z - 20) ** 2).sum())
    assert wrong.damping > 1e-6
    assert ((steep() - 20) ** 2).item() < before


def test_frozen_parameters_are_left_alone_and_unused_ones_do_no_harm() -> None:
    music = Music("tanh")
    unused = nn.Parameter(torch.ones(3))
    before = {name: value.clone() for name, value in music.model.named_parameters() if not value.requires_grad}
    assert before
    music.train(2, HessianFree([*music.model.parameters(), unused]))
    for name, value in before.items():
        assert torch.equal(music.model.get_parameter(name), value), name
    assert torch.equal(unused, torch.ones(3))


def continued(state: Callable[[HessianFree], HessianFree]) -> list[Tensor]:
    """The weights after four updates, in the middle of which the optimiser is replaced."""
    music = Music()
    optimiser = HessianFree(music.model.parameters())
    music.train(2, optimiser)
    music.train(2, state(optimiser))
    return [parameter.detach() for parameter in music.model.parameters()]


def test_it_goes_on_exactly_from_its_state() -> None:
    def restored(old: HessianFree) -> HessianFree:
        new = HessianFree(old.parameters)
        new.load_state_dict(old.state_dict())
        return new

    through = continued(lambda old: old)
    assert all(torch.equal(a, b) for a, b in zip(through, continued(restored), strict=True))
    anew = continued(lambda old: HessianFree(old.parameters))
    assert not all(torch.equal(a, b) for a, b in zip(through, anew, strict=True))


def test_the_state_of_another_model_is_refused() -> None:
    with pytest.raises(ValueError, match="another model"):
        HessianFree([nn.Parameter(torch.zeros(3))]).load_state_dict(
            HessianFree(Music().model.parameters()).state_dict()
        )

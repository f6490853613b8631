from dataclasses import replace

import pytest
import torch
from torch import nn

from improv.train.optimisers import FIRST_MOMENTUM, learning_rate, make_optimiser, set_rates
from improv.train.recipe import Recipe

SGD = Recipe(optimiser="sgd", learning_rate=0.1, constant=1.0, weight_decay=0.0)


def path(recipe: Recipe, steps: int = 3) -> list[float]:
    """A weight that begins at 1 and rolls down w^2 / 2, after every step."""
    weight = nn.Parameter(torch.tensor(1.0))
    optimiser = make_optimiser(recipe.optimiser, [weight], recipe)
    assert isinstance(optimiser, torch.optim.Optimizer)
    found = []
    for step in range(steps):
        set_rates(optimiser, recipe, step / steps)
        optimiser.zero_grad()
        (weight * weight / 2).backward()
        optimiser.step()
        found.append(float(weight.detach()))
    return found


def test_plain_sgd_is_the_gradient_at_the_rate() -> None:
    assert path(SGD) == pytest.approx([0.9, 0.9**2, 0.9**3])


def test_momentum_goes_on_where_it_went() -> None:
    speed, weight, expected = 0.0, 1.0, []
    for _ in range(3):
        speed = 0.9 * speed + weight
        weight -= 0.1 * speed
        expected.append(weight)
    assert path(replace(SGD, momentum=0.9)) == pytest.approx(expected)


def test_nesterov_looks_ahead() -> None:
    speed, weight, expected = 0.0, 1.0, []
    for _ in range(3):
        gradient = weight
        speed = 0.9 * speed + gradient
        weight -= 0.1 * (gradient + 0.9 * speed)
        expected.append(weight)
    assert path(replace(SGD, momentum=0.9, nesterov=True)) == pytest.approx(expected)


def test_weight_decay_draws_to_zero_beside_the_gradient() -> None:
    assert path(replace(SGD, weight_decay=0.5), 1) == pytest.approx([1 - 0.1 * 1.5])
    assert path(replace(SGD, optimiser="adamw", weight_decay=0.5), 1)[0] < path(replace(SGD, optimiser="adamw"), 1)[0]


@pytest.mark.parametrize(
    ("progress", "rate"), [(0.0, 0.001), (0.1, 0.05), (0.2, 0.1), (0.5, 0.1), (0.75, 0.06), (1.0, 0.02)]
)
def test_the_rate_rises_stays_and_falls_along_a_line(progress: float, rate: float) -> None:
    recipe = replace(SGD, warm_up=0.2, constant=0.5, final=0.2)
    assert learning_rate(recipe, progress) == pytest.approx(rate)


@pytest.mark.parametrize(("progress", "rate"), [(0.5, 0.1), (0.625, 0.0883), (0.75, 0.06), (1.0, 0.02)])
def test_or_along_a_cosine(progress: float, rate: float) -> None:
    recipe = replace(SGD, constant=0.5, final=0.2, decay="cosine")
    assert learning_rate(recipe, progress) == pytest.approx(rate, abs=1e-4)


def test_momentum_rises_with_the_rate() -> None:
    recipe = replace(SGD, momentum=0.9, warm_up=0.5)
    optimiser = make_optimiser("sgd", [nn.Parameter(torch.zeros(1))], recipe)
    assert isinstance(optimiser, torch.optim.Optimizer)
    found = []
    for progress in (0.0, 0.25, 0.5, 1.0):
        set_rates(optimiser, recipe, progress)
        found.append(optimiser.param_groups[0]["momentum"])
    assert found == pytest.approx([FIRST_MOMENTUM, 0.7, 0.9, 0.9])

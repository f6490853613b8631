"""Optimisers by name, and how their rates change in the course of training."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from improv.train.hessian_free import HessianFree
from improv.train.recipe import Recipe

FIRST_MOMENTUM = 0.5


Optimiser = torch.optim.Optimizer | HessianFree


def make_optimiser(name: str, parameters: Iterable[nn.Parameter], recipe: Recipe) -> Optimiser:
    """The optimiser of that name of those parameters that are learned."""
    if name == "hf":
        return HessianFree(parameters)
    learned = [parameter for parameter in parameters if parameter.requires_grad]
    decay = recipe.weight_decay
    if name == "sgd":
        nesterov = recipe.nesterov and recipe.momentum > 0
        return torch.optim.SGD(
            learned, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=nesterov, weight_decay=decay
        )
    kind = torch.optim.Adam if name == "adam" else torch.optim.AdamW
    return kind(learned, lr=recipe.learning_rate, betas=(0.9, 0.99), weight_decay=decay)


def set_rates(optimiser: Optimiser, recipe: Recipe, progress: float) -> None:
    """Sets learning rate and momentum for the update at `progress`, 0..1 of the whole training.

    Over the recipe's share `warm_up` the learning rate rises from nothing and momentum from FIRST_MOMENTUM (Hinton
    2010, section 9); after the share `constant` the rate falls to `final` of itself, along a line or a cosine.
    """
    if isinstance(optimiser, HessianFree):  # which finds its own
        return
    for group in optimiser.param_groups:
        group["lr"] = learning_rate(recipe, progress)
        if group.get("momentum"):
            first = min(FIRST_MOMENTUM, recipe.momentum)
            group["momentum"] = first + (recipe.momentum - first) * _rise(recipe, progress)


def learning_rate(recipe: Recipe, progress: float) -> float:
    """The learning rate at `progress`, 0..1 of the whole training."""
    return recipe.learning_rate * max(_rise(recipe, progress), 0.01) * _fall(recipe, progress)


def _rise(recipe: Recipe, progress: float) -> float:
    return min(1.0, progress / recipe.warm_up) if recipe.warm_up else 1.0


def _fall(recipe: Recipe, progress: float) -> float:
    if progress <= recipe.constant or recipe.constant >= 1:
        return 1.0
    done = (progress - recipe.constant) / (1 - recipe.constant)
    if recipe.decay == "cosine":
        done = (1 - float(torch.cos(torch.tensor(torch.pi * done)))) / 2
    return 1 - (1 - recipe.final) * done

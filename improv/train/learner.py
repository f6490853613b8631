"""A model and the optimiser that changes it, one update after another."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from improv.errors import ImprovError
from improv.model.sequence_model import SequenceModel
from improv.sampling.kernels import random_state
from improv.train.batches import Batch
from improv.train.compiled import CompiledSgd
from improv.train.distributed import World
from improv.train.hessian_free import HessianFree
from improv.train.objective import Cost, Objective, surprise
from improv.train.optimisers import learning_rate, make_optimiser, set_rates
from improv.train.recipe import Recipe


@dataclass(frozen=True)
class Phase:
    """What is lowered for a while, and how.

    Attributes:
        epochs: how long.
        cost: what is lowered.
        optimiser: its name.
        logits: the log-odds whose cross-entropy the cost is, for the Hessian-free optimiser.
        recipe: what sets the rates, and the size of a batch and of its subsequences.
        estimator: what is validated, `rbm` or `nade`.
    """

    epochs: int
    cost: Callable[[Batch], Cost]
    optimiser: str
    logits: Callable[[Batch], Tensor]
    recipe: Recipe
    estimator: str


class Learner:
    """Makes the updates of a training, this process's share of each.

    Attributes:
        pretraining, main, polishing, settling: the phases, in their order: in the third nothing is dropped out, in the
            last the RBM learns alone.
        model: what is trained.
        averaged: the running average of its weights (Polyak & Juditsky 1992); the model itself where the recipe does
            not average.
    """

    def __init__(self, model: SequenceModel, recipe: Recipe, world: World) -> None:
        self.model, self.recipe, self.world = model, recipe, world
        self.averaged = copy.deepcopy(model) if recipe.average else model
        self.objective = Objective(model, recipe)
        self.pretraining, self.main = self._pretraining(), self._main()
        self.polishing, self.settling = self._polishing(), self._settling()
        self.begin(self.main)
        if world.size > 1 and any(phase.optimiser == "hf" for phase in self.phases):
            raise ImprovError("hf trains in one process: leave torchrun out, or give another --optimiser")
        plain = recipe.plain_sgd and CompiledSgd.fits(model.config) and next(model.parameters()).device.type == "cpu"
        self._compiled = CompiledSgd(model, recipe.cd_steps) if plain and world.size == 1 else None

    @property
    def phases(self) -> list[Phase]:
        """All phases in their order."""
        return [phase for phase in (*self.pretraining, self.main, self.polishing, self.settling) if phase.epochs]

    def _main(self) -> Phase:
        recipe, objective = self.recipe, self.objective
        cost, estimator = objective.whole, "nade" if self.model.rbm is None else "rbm"
        if recipe.rbm_epochs:
            cost, estimator = objective.of_nade, "nade"
        return Phase(recipe.epochs, cost, recipe.optimiser, objective.nade_logits, recipe, estimator)

    def _polishing(self) -> Phase:
        own = self.recipe
        recipe = replace(own, learning_rate=own.polish_rate, input_dropout=0.0, state_dropout=0.0)
        return replace(self.main, epochs=own.polish_epochs, recipe=recipe)

    def _settling(self) -> Phase:
        own, objective = self.recipe, self.objective
        recipe = replace(
            own,
            learning_rate=own.rbm_rate,
            constant=own.rbm_constant,
            batch=own.rbm_batch,
            weight_decay=own.rbm_decay,
        )
        return Phase(recipe.rbm_epochs, objective.of_rbm, recipe.optimiser, objective.nade_logits, recipe, "rbm")

    def _pretraining(self) -> list[Phase]:
        """What comes before the training itself (Boulanger-Lewandowski et al. 2012, section 4.3)."""
        recipe, objective = self.recipe, self.objective
        single = replace(recipe, batch=recipe.batch * recipe.length, length=1)  # frames, drawn from anywhere
        first_order = "adamw" if recipe.pretrain_optimiser == "hf" else recipe.pretrain_optimiser
        phases = [
            Phase(recipe.pretrain_frames, objective.frames, first_order, objective.core_logits, single, ""),
            Phase(recipe.pretrain_core, objective.core, recipe.pretrain_optimiser, objective.core_logits, recipe, ""),
        ]
        return [phase for phase in phases if phase.epochs]

    def begin(self, phase: Phase) -> None:
        """Goes over to another phase, with an optimiser that knows nothing yet."""
        self.phase, self.updates = phase, 0
        self.averaged.load_state_dict(self.model.state_dict())
        self.optimiser = make_optimiser(phase.optimiser, self.model.parameters(), phase.recipe)

    def update(self, batch: Batch | None, frames: int, progress: float) -> float:
        """One step down the mean of the cost over the whole batch's `frames` frames.

        Args:
            batch: this process's share of the whole batch; None where it has none.
            progress: 0..1 of the phase.

        Returns:
            The sum of the monitor over the share.
        """
        if self._compiled is not None and batch is not None and self.phase is self.main:
            monitor = self._by_hand(self._compiled, batch, progress)
        elif isinstance(self.optimiser, HessianFree):
            monitor = self._second_order(self.optimiser, batch, frames)
        else:
            set_rates(self.optimiser, self.phase.recipe, progress)
            monitor = self._first_order(self.optimiser, batch, frames)
        self.updates += 1
        if self.averaged is not self.model:
            self._average()
        return monitor

    def _by_hand(self, compiled: CompiledSgd, batch: Batch, progress: float) -> float:
        compiled.rng = random_state(batch.seeds[0])
        return compiled.update(batch.heard[0].numpy().astype(np.uint8), learning_rate(self.recipe, progress))

    def _first_order(self, optimiser: torch.optim.Optimizer, batch: Batch | None, frames: int) -> float:
        optimiser.zero_grad()
        monitor = 0.0
        if batch is not None:
            cost = self.phase.cost(batch)
            (cost.total / frames).backward()  # type: ignore[no-untyped-call]
            monitor = cost.monitor
        self.world.sum_gradients(self.model.parameters())
        if self.recipe.clip:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        optimiser.step()
        return monitor

    def _second_order(self, optimiser: HessianFree, batch: Batch | None, frames: int) -> float:
        assert batch is not None, "one process has all of every batch"
        mean = optimiser.step(lambda: self.phase.logits(batch), lambda logits: surprise(logits, batch) / frames)
        return -mean * frames

    @torch.no_grad()
    def _average(self) -> None:
        kept = min(self.recipe.average, self.updates / (10 + self.updates))  # the first weights soon go
        for mean, now in zip(self.averaged.parameters(), self.model.parameters(), strict=True):
            mean.lerp_(now, 1 - kept)

    def state_dict(self) -> dict[str, Any]:
        """What the next update depends on beside the weights."""
        state = {"optimiser": self.optimiser.state_dict(), "averaged": self.averaged.state_dict(),
                 "updates": self.updates}  # fmt: skip
        if self.objective.particles is not None:
            self.world.gather_rows(self.objective.particles)
            state["particles"] = self.objective.particles
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from what `state_dict` gave.

        Raises:
            KeyError, ValueError, TypeError, RuntimeError: it belongs to another training.
        """
        self.optimiser.load_state_dict(state["optimiser"])
        self.averaged.load_state_dict(state["averaged"])
        self.updates = int(state["updates"])
        if self.objective.particles is not None:
            self.objective.particles.copy_(state["particles"])

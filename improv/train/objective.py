"""What training lowers: the RBM's free-energy cost, by contrastive divergence, and NADE's negative log-likelihood."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from improv.errors import ImprovError
from improv.model import rbm
from improv.model.core import Past
from improv.model.nade import Nade, TiedNade, log_probability
from improv.model.sequence_model import SequenceModel
from improv.sampling.kernels import random_state
from improv.train.batches import Batch
from improv.train.compiled import negative_samples
from improv.train.recipe import Recipe


class Cost(NamedTuple):
    """Sums over the frames of a batch: what to differentiate, and the monitor (see Epoch)."""

    total: Tensor
    monitor: float


class Objective:
    """The costs of a batch under a model: of the whole, and of what can be learned before it.

    With persistent chains (PCD, Tieleman 2008) the negative chains go on from where those of the batch before ended,
    row by row and frame by frame.
    """

    def __init__(self, model: SequenceModel, recipe: Recipe) -> None:
        self.model, self.recipe = model, recipe
        batch = max(recipe.batch, recipe.rbm_batch if recipe.rbm_epochs else 0)
        shape = (batch, recipe.length, model.config.n_visible)
        self.particles: Tensor | None = None
        if recipe.persistent and model.rbm is not None:
            try:
                self.particles = torch.zeros(shape, dtype=torch.uint8)
            except RuntimeError as error:
                raise ImprovError(
                    f"there is no memory for {batch} persistent chains of {recipe.length} frames: give a smaller "
                    "--batch or --length"
                ) from error

    def whole(self, batch: Batch) -> Cost:
        """Of every frame given the frames before."""
        return self._estimate(batch, self._past(batch))

    def of_nade(self, batch: Batch) -> Cost:
        """NADE's share of the whole."""
        assert self.model.nade is not None
        return self._surprise(self.model.nade, batch.v[batch.mask], self._past(batch))

    def of_rbm(self, batch: Batch) -> Cost:
        """The RBM's share of the whole, the past taken as it comes: the cores learn nothing."""
        assert self.model.rbm is not None
        with torch.no_grad():
            past = self._past(batch)
        return self._contrast(self.model.rbm, batch.v[batch.mask], past, batch)

    def frames(self, batch: Batch) -> Cost:
        """Of every frame by itself: the past is all zero (pretraining of the estimator)."""
        config, count = self.model.config, int(batch.mask.sum())
        s = batch.v.new_zeros(count, config.n_pitches, config.tied) if config.tied else None
        return self._estimate(batch, Past(batch.v.new_zeros(count, config.recurrent), s), lasting=False)

    def core(self, batch: Batch) -> Cost:
        """Of every frame, unit by unit, from the past alone (pretraining of the cores)."""
        cost = surprise(self.core_logits(batch), batch)
        return Cost(cost, -float(cost.detach()))

    def core_logits(self, batch: Batch) -> Tensor:
        """Log-odds of all units of the real frames from the past alone, [estimators, N, V]."""
        past = self._past(batch)
        estimators = [estimator for estimator in (self.model.rbm, self.model.nade) if estimator is not None]
        return torch.stack([estimator.predicted(past) for estimator in estimators])

    def nade_logits(self, batch: Batch) -> Tensor:
        """NADE's log-odds of all units of the real frames given those before them, [N, V]."""
        assert self.model.nade is not None
        return self.model.nade.logits(batch.v[batch.mask], self._past(batch))

    def _past(self, batch: Batch) -> Past:
        past, _ = self.model.pasts(batch.heard)
        return batch.dropped(past).at(batch.mask)

    def _estimate(self, batch: Batch, past: Past, lasting: bool = True) -> Cost:
        v = batch.v[batch.mask]
        total, monitor = v.new_zeros(()), 0.0
        if self.model.nade is not None:
            total, monitor = self._surprise(self.model.nade, v, past)
        if self.model.rbm is not None:
            cost = self._contrast(self.model.rbm, v, past, batch, lasting)
            total, monitor = total + cost.total, cost.monitor
        return Cost(total, monitor)

    def _surprise(self, estimator: Nade | TiedNade, v: Tensor, past: Past) -> Cost:
        log_p = log_probability(estimator, v, past).sum()
        return Cost(-log_p, float(log_p.detach()))

    def _contrast(
        self, estimator: rbm.ConditionalRbm | rbm.TiedRbm, v: Tensor, past: Past, batch: Batch, lasting: bool = True
    ) -> Cost:
        """F(v) - F(v*) (eq. 4), v* the end of k Gibbs steps and held constant (Hinton 2002).

        Persistent chains are gone on with only where they are `lasting`.
        """
        b_v, b_h = estimator.biases(past)
        weights = estimator.W
        particles, length = self.particles if lasting else None, batch.mask.shape[1]
        starts = batch.starts if particles is None else particles[batch.rows, :length].to(v)
        end, logits = self._chains(weights.detach(), b_v.detach(), b_h.detach(), starts[batch.mask], batch)
        if particles is not None:
            mask = batch.mask.cpu()
            ended = particles[batch.rows, :length]
            ended[mask] = end.to(ended)
            particles[batch.rows, :length] = ended
        cost = rbm.free_energy(v, weights, b_v, b_h) - rbm.free_energy(end, weights, b_v, b_h)
        return Cost(cost.sum(), float(rbm.reconstruction_log_likelihood(v, logits).sum()))

    def _chains(self, weights: Tensor, b_v: Tensor, b_h: Tensor, starts: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """The negative chains of all real frames after k steps, [N, V], and the logits of their last step.

        On the CPU compiled code draws them, every subsequence's from a seed of its own; on a GPU all are drawn at once,
        and depend on which subsequences a process was given.
        """
        k = self.recipe.cd_steps
        if weights.device.type != "cpu":
            generator = torch.Generator(weights.device).manual_seed(batch.seeds[0])
            return rbm.gibbs(starts, weights, b_v, b_h, k, generator)
        lengths = batch.mask.sum(1).tolist()
        parts = zip(*(torch.split(tensor, lengths) for tensor in (b_v, b_h, starts)), batch.seeds, strict=True)
        drawn = [
            negative_samples(weights.numpy(), x_v.numpy(), x_h.numpy(), start.numpy(), k, random_state(seed))
            for x_v, x_h, start, seed in parts
        ]
        ends, logits = (torch.from_numpy(np.concatenate(part)) for part in zip(*drawn, strict=True))
        return ends.to(weights), logits


def surprise(logits: Tensor, batch: Batch) -> Tensor:
    """Cross-entropy of a batch's real frames under units with `logits` [..., N, V], summed, in nats."""
    v = batch.v[batch.mask].expand_as(logits)
    return F.binary_cross_entropy_with_logits(logits, v, reduction="sum")

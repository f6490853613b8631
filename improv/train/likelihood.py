"""Log-likelihood of frames given their past: exact for NADE, for the RBM by estimates of its partition function.

Annealed importance sampling (AIS, Neal 2001; for RBMs Salakhutdinov & Murray 2008) runs from W = 0, where everything is
known, to W in steps of `betas`: F_beta(v) = -v . b_v(t) - sum_j softplus(beta v W + b_h(t))_j. Both its estimate and
that of plain importance sampling miss modes rather than invent them, so where a NADE stands beside the RBM to propose
samples, the larger log Z of the two is taken: the conservative one.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from improv.model import rbm
from improv.model.core import Past
from improv.model.nade import log_probability
from improv.model.sequence_model import SequenceModel
from improv.music.pianoroll import PianoRoll
from improv.music.recall import Recall

CHUNK = 256  # frames at a time: keeps the particles of a chunk in the cache
STRETCH = 1024  # frames that the cores run over at a time: a tied core keeps some 100 kB of each


@dataclass(frozen=True)
class Partition:
    """log Z_t of every frame [N], its variance [N], and the particles [N, chains, V], samples of every frame's RBM."""

    log_z: Tensor
    variance: Tensor
    particles: Tensor


@torch.no_grad()
def ais(weights: Tensor, b_v: Tensor, b_h: Tensor, chains: int, betas: int, generator: torch.Generator) -> Partition:
    """log Z of the RBMs with shared W [V, H] and biases b_v [N, V], b_h [N, H].

    Args:
        chains: particles per frame, at least 2.
        betas: steps of the annealing path.

    Returns:
        The estimate; in expectation Z is exact, and log Z is a lower bound that tightens with chains and betas.
    """
    n = len(b_h)
    b_v, b_h = b_v.unsqueeze(1), b_h.unsqueeze(1)

    def draw(logits: Tensor) -> Tensor:
        return (torch.rand(logits.shape, generator=generator, device=logits.device) < torch.sigmoid(logits)).float()

    v = draw(b_v.expand(n, chains, -1))
    pre = v @ weights
    log_w = torch.zeros(n, chains, device=v.device)
    before = F.softplus(b_h).sum(-1).expand(n, chains)
    for step in range(1, betas + 1):
        beta = step / betas
        log_w += F.softplus(beta * pre + b_h).sum(-1) - before
        h = draw(beta * pre + b_h)
        v = draw(beta * (h @ weights.T) + b_v)
        pre = v @ weights
        before = F.softplus(beta * pre + b_h).sum(-1)
    log_z_0 = F.softplus(b_v).sum((-1, -2)) + F.softplus(b_h).sum((-1, -2))
    log_mean = torch.logsumexp(log_w, 1) - math.log(chains)
    relative = (log_w - log_mean.unsqueeze(1)).exp()  # weights over their mean
    return Partition(log_z_0 + log_mean, relative.var(1) / chains, v)


@torch.no_grad()
def importance(
    model: SequenceModel, past: Past, b_v: Tensor, b_h: Tensor, samples: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """log Z of the RBMs with biases b_v [N, V], b_h [N, H] by `samples` proposals of the model's NADE each, [N], and
    the variance of that, [N]."""
    assert model.rbm is not None
    assert model.nade is not None
    weights = []
    for _ in range(samples):
        v, log_q = model.nade.sample(past, generator)
        weights.append(-rbm.free_energy(v, model.rbm.W, b_v, b_h) - log_q)
    log_w = torch.stack(weights)
    log_z = torch.logsumexp(log_w, 0) - math.log(samples)
    return log_z, (log_w - log_z).exp().var(0) / samples


@dataclass(frozen=True)
class Likelihood:
    """Of N frames: log P(v | past) in nats [N], the variance of its estimate [N] (zero where exact), and samples drawn
    from the model there, uint8 [N, samples, V]."""

    log_p: Tensor
    variance: Tensor
    particles: Tensor


@torch.no_grad()
def rbm_likelihood(
    model: SequenceModel, v: Tensor, past: Past, chains: int, betas: int, generator: torch.Generator
) -> Likelihood:
    """The RBM's log-likelihood of frames v [N, V], by AIS, and by importance sampling too where there is a NADE."""
    assert model.rbm is not None
    parts = []
    for chunk in (slice(start, start + CHUNK) for start in range(0, len(v), CHUNK)):
        here = past.at(chunk)
        b_v, b_h = model.rbm.biases(here)
        z = ais(model.rbm.W, b_v, b_h, chains, betas, generator)
        log_z, variance = z.log_z, z.variance
        if model.nade is not None:
            other, spread = importance(model, here, b_v, b_h, chains, generator)
            log_z, variance = torch.maximum(log_z, other), torch.where(other > log_z, spread, variance)
        log_p = -rbm.free_energy(v[chunk], model.rbm.W, b_v, b_h) - log_z
        parts.append(Likelihood(log_p, variance, z.particles.to(torch.uint8)))
    return Likelihood(*(torch.cat([getattr(p, name) for p in parts]) for name in ("log_p", "variance", "particles")))


@torch.no_grad()
def nade_likelihood(
    model: SequenceModel, v: Tensor, past: Past, samples: int, generator: torch.Generator
) -> Likelihood:
    """NADE's log-likelihood of frames v [N, V], exact, and samples."""
    assert model.nade is not None
    log_p = log_probability(model.nade, v, past)
    drawn = [model.nade.sample(past, generator)[0].to(torch.uint8) for _ in range(samples)]
    return Likelihood(log_p, torch.zeros_like(log_p), torch.stack(drawn, 1) if drawn else v.new_empty(0))


class Stretch(NamedTuple):
    """Frames v [T, V] that follow one another, the one before the first [V] (zeros where a piece begins), and what they
    are conditioned on."""

    v: Tensor
    before: Tensor
    past: Past


@torch.no_grad()
def stretches(model: SequenceModel, pieces: list[PianoRoll]) -> Iterator[Stretch]:
    """All pieces, one after another, in stretches short enough for memory."""
    device, n_visible = next(model.parameters()).device, model.config.n_visible
    for roll in pieces:
        state, before, recall = None, torch.zeros(n_visible, device=device), Recall(roll.n_pitches)
        for start in range(0, len(roll), STRETCH):
            frames = np.asarray(roll.frames[start : start + STRETCH])
            recalled = recall.hear(frames) if model.config.recall else None
            inputs = model.inputs(frames, start - roll.downbeat, roll.bar_beats, recalled).to(device)
            past, state = model.pasts(inputs.unsqueeze(0), state)
            yield Stretch(inputs[:, :n_visible], before, past.at(0))
            before = inputs[-1, :n_visible]


class Every:
    """Picks every so-manieth of all frames, of one stretch after another."""

    def __init__(self, stride: int) -> None:
        self._stride, self._first = stride, stride // 2

    def of(self, length: int) -> slice:
        """Those of the next `length` frames."""
        picked = slice(self._first, length, self._stride)
        self._first = (self._first - length) % self._stride
        return picked


SKETCH_FRAMES, SKETCH_CHAINS, SKETCH_BETAS = 1000, 8, 100


@torch.no_grad()
def sketch(model: SequenceModel, pieces: list[PianoRoll], seed: int, estimator: str) -> float:
    """A quick log-likelihood to choose by, nats a frame: that of the `nade` over all frames, or the `rbm`'s estimated
    on up to about SKETCH_FRAMES frames."""
    generator = torch.Generator(next(model.parameters()).device).manual_seed(seed)
    stride = max(1, sum(len(roll) for roll in pieces) // SKETCH_FRAMES) if estimator == "rbm" else 1
    total, frames, picked = 0.0, 0, Every(stride)
    for stretch in stretches(model, pieces):
        chosen = picked.of(len(stretch.v))
        v, past = stretch.v[chosen], stretch.past.at(chosen)
        if not len(v):
            continue
        if estimator == "rbm":
            total += float(rbm_likelihood(model, v, past, SKETCH_CHAINS, SKETCH_BETAS, generator).log_p.sum())
        else:
            total += float(nade_likelihood(model, v, past, 0, generator).log_p.sum())
        frames += len(v)
    return total / frames

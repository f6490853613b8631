"""Log-likelihood of frames under their conditional RBMs, by annealed importance sampling (AIS).

Neal 2001; for RBMs Salakhutdinov & Murray 2008. The path runs from W = 0, where everything is known, to W in steps of
`betas`: F_beta(v) = -v . b_v(t) - sum_j softplus(beta v W + b_h(t))_j.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

CHUNK = 256  # frames at a time: keeps the particles of a chunk in the cache


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
def in_chunks(
    weights: Tensor,
    b_v: Tensor,
    b_h: Tensor,
    chains: int,
    betas: int,
    generator: torch.Generator,
    on_frames: Callable[[int], None] = lambda _n: None,
) -> Partition:
    """`ais` over any number of frames; `on_frames` is told how many more are done."""
    parts = []
    for start in range(0, len(b_v), CHUNK):
        part = ais(weights, b_v[start : start + CHUNK], b_h[start : start + CHUNK], chains, betas, generator)
        parts.append(Partition(part.log_z, part.variance, part.particles.to(torch.uint8)))
        on_frames(len(part.log_z))
    return Partition(*(torch.cat([getattr(p, name) for p in parts]) for name in ("log_z", "variance", "particles")))

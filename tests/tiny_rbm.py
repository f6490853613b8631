"""RBMs so small that everything about them is known by going through all their states."""

from dataclasses import dataclass

import torch
from torch import Tensor


def states(n: int) -> Tensor:
    """Every binary vector of length n, float32 [2^n, n]; row i holds the bits of i, the first unit the lowest."""
    return ((torch.arange(2**n).unsqueeze(1) >> torch.arange(n)) & 1).float()


@dataclass(frozen=True)
class TinyRbm:
    """Weights [V, H], b_v [V] and b_h [H], with the answers that enumeration gives."""

    weights: Tensor
    b_v: Tensor
    b_h: Tensor

    @classmethod
    def random(cls, n_visible: int = 6, n_hidden: int = 5, seed: int = 0, scale: float = 1.0) -> "TinyRbm":
        """One whose units depend on each other."""
        generator = torch.Generator().manual_seed(seed)
        shapes = [(n_visible, n_hidden), (n_visible,), (n_hidden,)]
        return cls(*(scale * torch.randn(*shape, generator=generator) for shape in shapes))

    def log_joint(self, temperature: float = 1.0) -> Tensor:
        """-E(v, h) / T of every pair of states, float64 [2^V, 2^H]."""
        v, h = states(len(self.b_v)).double(), states(len(self.b_h)).double()
        energy = -(v @ self.b_v.double()).unsqueeze(1) - h @ self.b_h.double() - v @ self.weights.double() @ h.T
        return -energy / temperature

    def log_z(self) -> float:
        """log of the partition function."""
        return float(self.log_joint().logsumexp((0, 1)))

    def visible(self, temperature: float = 1.0, held: Tensor | None = None) -> Tensor:
        """P(v) of every visible state, [2^V]; given the clamped units where `held` [V] is not negative."""
        log_p = self.log_joint(temperature).logsumexp(1)
        if held is not None:
            fits = ((states(len(held)) == held) | (held < 0)).all(1)
            log_p = log_p.masked_fill(~fits, -torch.inf)
        return log_p.softmax(0)

    def marginals(self, temperature: float = 1.0, held: Tensor | None = None) -> Tensor:
        """P(v_i = 1) of every visible unit, [V]."""
        return self.visible(temperature, held) @ states(len(self.b_v)).double()


def frequencies(v: Tensor) -> Tensor:
    """How often each visible state occurs among the samples v [N, V], [2^V]."""
    index = (v.long() << torch.arange(v.shape[1])).sum(1)
    return torch.bincount(index, minlength=2 ** v.shape[1]).double() / len(v)


def total_variation(p: Tensor, q: Tensor) -> float:
    """Half the sum of all differences: 0 for equal distributions, 1 for disjoint ones."""
    return float((p - q).abs().sum() / 2)

"""The restricted Boltzmann machine whose biases differ from frame to frame.

Shapes throughout: v [..., V] visible, h [..., H] hidden, W [V, H], b_v [..., V], b_h [..., H]; leading dimensions
broadcast. Equation numbers are those of Boulanger-Lewandowski, Bengio & Vincent, ICML 2012.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from improv.model.conditional import Conditional
from improv.model.config import Config
from improv.model.core import Past
from improv.model.initial import gaussian
from improv.model.intervals import Intervals

REACH = 24  # semitones to either side that a tied hidden unit tells apart


class ConditionalRbm(Conditional):
    """An RBM in every frame, its biases set by what went before."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.W = nn.Parameter(gaussian(0.01, config.n_visible, config.hidden))
        self.add_biases(config)


class TiedRbm(nn.Module):
    """An RBM whose weights are shared by all pitches, as a convolutional one's are (Lee et al. 2009): each pitch has
    as many hidden units, which see all pitches by their interval. What a pitch remembers sets the biases of its own
    units; b_v(t) = b_v + u_{t-1} W_uv remains each unit's own."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        size, hidden = config.tied, config.hidden_per_pitch
        self.around = Intervals(config.n_pitches, config.channels, hidden, REACH, scale=0.1)
        self.to_visible = nn.Sequential(nn.Linear(size, size), nn.ReLU(), nn.Linear(size, config.channels, bias=False))
        self.to_hidden = nn.Linear(size, hidden)
        self.overall = nn.Linear(config.recurrent, hidden, bias=False)
        self.b_v = nn.Parameter(torch.zeros(config.n_visible))
        self.W_uv = nn.Parameter(gaussian(0.0001, config.recurrent, config.n_visible))

    @property
    def W(self) -> Tensor:
        """The weights [V, H], H being n_pitches x hidden_per_pitch."""
        return self.around.matrix()

    def biases(self, past: Past) -> tuple[Tensor, Tensor]:
        """b_v(t) [..., V] and b_h(t) [..., H]."""
        assert past.s is not None
        b_v = self.predicted(past)
        b_h = self.to_hidden(past.s) + self.overall(past.u).unsqueeze(-2)
        return b_v, b_h.flatten(-2)

    def predicted(self, past: Past) -> Tensor:
        """Log-odds of the visible units [..., V] from the past alone, no hidden unit on."""
        assert past.s is not None
        from_pitch: Tensor = self.to_visible(past.s)
        return self.b_v + past.u @ self.W_uv + from_pitch.transpose(-1, -2).flatten(-2)


def free_energy(v: Tensor, weights: Tensor, b_v: Tensor, b_h: Tensor) -> Tensor:
    """F(v) = -v . b_v - sum_j softplus(v W + b_h)_j (eq. 4), [...]."""
    return -(v * b_v).sum(-1) - F.softplus(v @ weights + b_h).sum(-1)


@torch.no_grad()
def gibbs(
    v: Tensor,
    weights: Tensor,
    b_v: Tensor,
    b_h: Tensor,
    k: int,
    generator: torch.Generator | None = None,
    temperature: float = 1.0,
    held: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """`k` steps of block Gibbs sampling from the start `v`.

    Args:
        temperature: divides both pre-activations.
        held: clamp of the visible units [..., V]: negative leaves a unit free, 0 and 1 hold it there.

    Returns:
        The sample v [..., V] of zeros and ones, and the logits its last visible step drew from [..., V].
    """
    free = None if held is None else held < 0
    fixed = None if held is None else held.clamp(min=0).to(weights.dtype)
    if free is not None and fixed is not None:
        v = torch.where(free, v, fixed)
    logits = torch.zeros_like(v)
    for _ in range(k):
        h = _bernoulli((v @ weights + b_h) / temperature, generator)
        logits = (h @ weights.T + b_v) / temperature
        v = _bernoulli(logits, generator)
        if free is not None and fixed is not None:
            v = torch.where(free, v, fixed)
    return v, logits


def _bernoulli(logits: Tensor, generator: torch.Generator | None) -> Tensor:
    uniform = torch.rand(logits.shape, generator=generator, device=logits.device, dtype=logits.dtype)
    return (uniform < torch.sigmoid(logits)).to(logits.dtype)


def reconstruction_log_likelihood(v: Tensor, logits: Tensor) -> Tensor:
    """The tutorial's monitor: log-probability of v under independent units with `logits`, [...]; always finite."""
    return -F.binary_cross_entropy_with_logits(logits, v, reduction="none").sum(-1)


def pseudo_log_likelihood(v: Tensor, weights: Tensor, b_v: Tensor, b_h: Tensor) -> Tensor:
    """sum_i log P(v_i | all other units), exact, [...] (Besag 1975). Needs memory for [..., V, H]."""
    pre = v @ weights + b_h
    sign = 1 - 2 * v  # how each unit changes when it flips
    flipped = pre.unsqueeze(-2) + sign.unsqueeze(-1) * weights
    gain = sign * b_v + (F.softplus(flipped) - F.softplus(pre).unsqueeze(-2)).sum(-1)  # F(v) - F(v with unit i flipped)
    return -F.softplus(gain).sum(-1)

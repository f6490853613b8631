"""The neural autoregressive distribution estimator (NADE, Larochelle & Murray 2011), conditioned on the past as in the
RNN-NADE (Boulanger-Lewandowski et al. 2012, section 4.2): an exact likelihood, and exact samples in one sweep.

    P(v | past) = prod_i P(v_i | v_before, past)

The units come from the highest pitch to the lowest, each pitch's own one after another, so that the accompaniment
is drawn knowing the melody.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from improv.model.conditional import Conditional
from improv.model.config import Config
from improv.model.core import Past
from improv.model.initial import gaussian
from improv.model.intervals import Intervals

REACH = 24  # semitones above that a tied pitch tells apart
CHUNK = 256  # frames whose [V, hidden] units fit the cache


def order(config: Config) -> Tensor:
    """The visible units in the order in which they are drawn, [V]."""
    pitches, channels = range(config.n_pitches), range(config.channels)
    # Not by torch.arange, for which torch, where no memory is to be used, imports all of sympy: half a second.
    return torch.tensor([channel * config.n_pitches + pitch for pitch in reversed(pitches) for channel in channels])


class Nade(Conditional):
    """NADE with weights of its own for every unit; b_v(t) and b_h(t) follow the past as those of the RNN-RBM do.

    h_i = sigmoid(b_h(t) + sum_{j before i} v_j W_j)        P(v_i = 1) = sigmoid(b_v(t)_i + U_i . h_i)
    """

    order: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.register_buffer("order", order(config), persistent=False)
        self.W = nn.Parameter(gaussian(0.01, config.n_visible, config.hidden))
        self.U = nn.Parameter(gaussian(0.01, config.n_visible, config.hidden))
        self.add_biases(config)

    def logits(self, v: Tensor, past: Past) -> Tensor:
        """Log-odds of every unit of v [N, V] given those before it, [N, V]."""
        b_v, b_h = self.biases(past)
        chunks = (slice(start, start + CHUNK) for start in range(0, len(v), CHUNK))
        return b_v + torch.cat([self._interaction(v[chunk], b_h[chunk]) for chunk in chunks])

    def _interaction(self, v: Tensor, b_h: Tensor) -> Tensor:
        """U_i . h_i of every unit, [N, V]."""
        drawn = v[:, self.order]
        weights, out = self.W[self.order], self.U[self.order]
        added = drawn.unsqueeze(-1) * weights  # [N, V, H]
        before = F.pad(added[:, :-1], (0, 0, 1, 0)).cumsum(1)
        h = torch.sigmoid(b_h.unsqueeze(1) + before)
        back = torch.argsort(self.order)
        return (h * out).sum(-1)[:, back]

    @torch.no_grad()
    def sample(
        self,
        past: Past,
        generator: torch.Generator | None = None,
        temperature: float = 1.0,
        held: Tensor | None = None,
        lean: Tensor | float = 0.0,
    ) -> tuple[Tensor, Tensor]:
        """One sample for every past [N, ...]: v [N, V], and its log-probability [N].

        Args:
            temperature: divides the log-odds.
            held: clamp of the units [N, V]: negative leaves a unit free, 0 and 1 hold it there. What is clamped is
                never drawn, and what comes later in the order knows of it.
            lean: added to b_v, [V].
        """
        b_v, pre = self.biases(past)
        b_v = b_v + lean
        v, log_p = torch.zeros_like(b_v), b_v.new_zeros(len(b_v))
        for unit in self.order:
            logit = (b_v[:, unit] + torch.sigmoid(pre) @ self.U[unit]) / temperature
            v[:, unit], gained = _draw(logit, generator, None if held is None else held[:, unit])
            pre = pre + v[:, unit, None] * self.W[unit]
            log_p += gained
        return v, log_p


class TiedNade(nn.Module):
    """NADE whose weights are shared by all pitches: a small net reads what a pitch remembers and the pitches already
    drawn, by their interval. b_v(t) = b_v + u_{t-1} W_uv remains each unit's own."""

    order: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config, size = config, config.tied
        self.register_buffer("order", order(config), persistent=False)
        self.above = Intervals(config.n_pitches, config.channels, size, REACH, above=True)
        self.remembered = nn.Linear(size, size)
        self.overall = nn.Linear(config.recurrent, size, bias=False)
        self.pitch = nn.Parameter(torch.zeros(config.n_pitches, size))
        self.second = nn.Linear(size, size)
        self.out = nn.Linear(size, config.channels)
        self.sounds = nn.Parameter(torch.tensor(8.0))  # how much likelier a pitch is struck that sounds
        self.b_v = nn.Parameter(torch.zeros(config.n_visible))
        self.W_uv = nn.Parameter(gaussian(0.0001, config.recurrent, config.n_visible))

    def start(self, past: Past) -> tuple[Tensor, Tensor]:
        """Before any unit is drawn: pre-activations [..., P, tied] of all pitches, and b_v(t) [..., V]."""
        assert past.s is not None
        pre = self.remembered(past.s) + self.overall(past.u).unsqueeze(-2) + self.pitch
        return pre, self.b_v + past.u @ self.W_uv

    def logits(self, v: Tensor, past: Past) -> Tensor:
        """Log-odds of every unit of v [N, V] given those before it, [N, V]."""
        pre, b_v = self.start(past)
        odds = self._units(pre + self.above(v)) + b_v
        if self.config.channels == 1:
            return odds
        n = self.config.n_pitches
        return torch.cat([odds[:, :n], odds[:, n:] + self.sounds * (v[:, :n] - 1)], dim=1)

    def predicted(self, past: Past) -> Tensor:
        """Log-odds of the visible units [..., V] from the past alone, as if nothing sounded above."""
        pre, b_v = self.start(past)
        return self._units(pre) + b_v

    def _units(self, pre: Tensor) -> Tensor:
        """[..., P, tied] -> log-odds [..., V]."""
        return self._odds(pre).transpose(-1, -2).flatten(-2)

    def _odds(self, pre: Tensor) -> Tensor:
        """[..., tied] -> [..., channels]."""
        return self.out(F.relu(self.second(F.relu(pre))))  # type: ignore[no-any-return]

    @torch.no_grad()
    def sample(
        self,
        past: Past,
        generator: torch.Generator | None = None,
        temperature: float = 1.0,
        held: Tensor | None = None,
        lean: Tensor | float = 0.0,
    ) -> tuple[Tensor, Tensor]:
        """See Nade.sample."""
        pre, b_v = self.start(past)
        b_v = b_v + lean
        n = self.config.n_pitches
        heard = self.above.matrix().view(self.config.n_visible, n, -1)
        v, log_p = torch.zeros_like(b_v), b_v.new_zeros(len(b_v))
        for pitch in reversed(range(n)):
            odds = self._odds(pre[:, pitch])
            for channel in range(self.config.channels):
                unit = channel * n + pitch
                logit = odds[:, channel] + b_v[:, unit]
                if channel:
                    logit = logit + self.sounds * (v[:, pitch] - 1)
                v[:, unit], gained = _draw(logit / temperature, generator, None if held is None else held[:, unit])
                log_p += gained
                pre[:, :pitch] += v[:, unit, None, None] * heard[unit, :pitch]
        return v, log_p


def log_probability(nade: Nade | TiedNade, v: Tensor, past: Past) -> Tensor:
    """log P(v | past) of frames v [N, V] in nats, exact, [N]."""
    return -F.binary_cross_entropy_with_logits(nade.logits(v, past), v, reduction="none").sum(-1)


def _draw(logit: Tensor, generator: torch.Generator | None, held: Tensor | None) -> tuple[Tensor, Tensor]:
    """Units [N] that are on by log-odds [N] or held, and the log-probability of each outcome [N]."""
    uniform = torch.rand(logit.shape, generator=generator, device=logit.device, dtype=logit.dtype)
    on = (uniform < torch.sigmoid(logit)).to(logit.dtype)
    if held is not None:
        on = torch.where(held < 0, on, held.to(on.dtype))
    return on, F.logsigmoid(torch.where(on > 0, logit, -logit))

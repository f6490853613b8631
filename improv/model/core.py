"""The recurrent cores: what remembers the frames before.

Two run side by side. One sees all pitches and has weights of its own for each; the other, where there is one, is run
for every pitch with the same weights and sees the other pitches by their interval only (Johnson 2017, section 3).
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from improv.model.config import Config
from improv.model.initial import gaussian
from improv.model.intervals import Intervals

REACH = 12  # semitones to either side that a pitch of the tied core tells apart


@dataclass(frozen=True)
class Past:
    """What a frame is conditioned on: u_{t-1} [..., recurrent] and, where a core is tied, s [..., n_pitches, tied]."""

    u: Tensor
    s: Tensor | None = None

    def at(self, chosen: Tensor | slice | int) -> "Past":
        """The pasts of the frames that `chosen`, a mask or indices of the leading dimensions, picks."""
        return Past(self.u[chosen], None if self.s is None else self.s[chosen])


@dataclass(frozen=True)
class State:
    """Where the cores stand after a frame: [S, B, recurrent], S being 1, or 2 for the LSTM, and [1, B * P, tied]."""

    core: Tensor
    tied: Tensor | None = None


class Cores(nn.Module):
    """The cores of a model, run together."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        kind = {"tanh": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}[config.core]
        self.core = kind(config.n_inputs, config.recurrent, batch_first=True)
        if config.core == "tanh":  # the reference's scale; the gated cores keep torch's, which they need to learn
            for name, parameter in self.core.named_parameters():
                shape = parameter.shape
                parameter.data = gaussian(0.0001, *shape) if "weight" in name else torch.zeros(shape)
            self.core.bias_hh_l0.requires_grad_(False)  # the paper's core has one bias, not two
        rows = 2 if config.core == "lstm" else 1
        self.u0 = nn.Parameter(torch.zeros(rows, config.recurrent), requires_grad=config.learn_u0)
        self.tied = TiedCore(config) if config.tied else None

    def initial(self, batch: int) -> State:
        """The state before the first frame."""
        u = self.u0.unsqueeze(1).expand(-1, batch, -1).contiguous()
        return State(u, None if self.tied is None else self.tied.initial(batch))

    def past(self, state: State) -> Past:
        """What the frame that follows `state` is conditioned on, with leading dimension B."""
        s = None if state.tied is None else state.tied.view(-1, self.config.n_pitches, self.config.tied)
        return Past(state.core[0], s)

    def forward(self, inputs: Tensor, state: State) -> tuple[Past, State]:
        """Runs over inputs [B, T, n_inputs]; the pasts of these T frames and the state after the last."""
        first = self.past(state)
        if self.config.core == "lstm":
            u, (h, c) = self.core(inputs, (state.core[0:1].contiguous(), state.core[1:2].contiguous()))
            after = torch.cat([h, c])
        else:
            u, after = self.core(inputs, state.core.contiguous())
        before = torch.cat([first.u.unsqueeze(1), u[:, :-1]], dim=1)
        if self.tied is None or first.s is None or state.tied is None:
            return Past(before), State(after)
        s, tied_after = self.tied(inputs, state.tied)
        return Past(before, torch.cat([first.s.unsqueeze(1), s[:, :-1]], dim=1)), State(after, tied_after)


class TiedCore(nn.Module):
    """A GRU for every pitch, its weights shared, that sees the others by their interval, what it is told of the next
    frame, and a little of which pitch it is."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.around = Intervals(config.n_pitches, config.heard_channels, config.tied, REACH)
        # Its name is from when nothing but the place in the bar was told.
        self.place = nn.Linear(config.n_told, config.tied, bias=False) if config.n_told else None
        self.pitch = nn.Parameter(torch.zeros(config.n_pitches, config.tied))
        self.core = nn.GRU(config.tied, config.tied, batch_first=True)
        self.s0 = nn.Parameter(torch.zeros(config.tied)) if config.learn_u0 else None

    def initial(self, batch: int) -> Tensor:
        """The state before the first frame, the same for every pitch, [1, B * P, tied]."""
        rows = batch * self.config.n_pitches
        if self.s0 is None:
            return self.pitch.new_zeros(1, rows, self.config.tied)
        return self.s0.expand(1, rows, -1).contiguous()

    def forward(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Over inputs [B, T, n_inputs] from state [1, B * P, tied]: outputs [B, T, P, tied], and the state after."""
        batch, length, _ = inputs.shape
        seen = self.around(inputs[..., : self.config.n_heard]) + self.pitch
        if self.place is not None:
            seen = seen + self.place(inputs[..., self.config.n_heard :]).unsqueeze(-2)
        apart = F.relu(seen).transpose(1, 2).reshape(-1, length, self.config.tied)
        out, after = self.core(apart, state)
        return out.view(batch, -1, length, self.config.tied).transpose(1, 2), after

"""The RNN-RBM (Boulanger-Lewandowski, Bengio & Vincent, ICML 2012): an RBM in every frame, its biases set by a
recurrent net that has seen the frames before."""

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from improv.music.meter import n_positions, positions
from improv.music.pianoroll import LOW, N_PITCHES, SOUNDING, STRUCK, Frame

CORES = ("tanh", "gru", "lstm")
MIN_GRID, MAX_GRID = 0.001, 64.0
Integer = TypeVar("Integer", bound=np.integer[Any])


@dataclass(frozen=True)
class Config:
    """Everything that fixes the shape and the meaning of a model.

    Attributes:
        hidden, recurrent: numbers of hidden and of recurrent units.
        core: `tanh` (the paper's), `gru` or `lstm`.
        grid: beats per frame.
        dt: seconds per frame, where the model was trained on such; `grid` then holds them as beats at 120 BPM.
        onsets: whether a second visible unit per pitch tells struck from held.
        bars: whether the core is told the place in the bar of the frame to come.
        normalised: whether pieces were moved to C major or C minor.
        learn_u0: whether the initial state is learned; it is zero otherwise.
        low, n_pitches: the MIDI pitch of the first visible unit, and how many pitches there are.
    """

    hidden: int = 150
    recurrent: int = 100
    core: str = "tanh"
    grid: float = 0.25
    dt: float | None = None
    onsets: bool = True
    bars: bool = True
    normalised: bool = True
    learn_u0: bool = False
    low: int = LOW
    n_pitches: int = N_PITCHES

    @property
    def n_visible(self) -> int:
        """Visible units: one per pitch, or two where onsets are told apart."""
        return self.n_pitches * (2 if self.onsets else 1)

    @property
    def n_inputs(self) -> int:
        """Inputs of the core: a frame's visible units and, where bars are told, the next frame's place in the bar."""
        return self.n_visible + (n_positions(self.grid) if self.bars else 0)

    def check(self) -> None:
        """Raises ValueError where a value is of the wrong type or outside its range."""
        ranges = {"hidden": (1, 8192), "recurrent": (1, 8192), "low": (0, 127), "n_pitches": (1, 128)}
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise ValueError(f"{name} must be a whole number in {low}..{high}, got {value!r}")
        for name in ("onsets", "bars", "normalised", "learn_u0"):
            if type(getattr(self, name)) is not bool:
                raise ValueError(f"{name} must be true or false, got {getattr(self, name)!r}")
        if self.core not in CORES:
            raise ValueError(f"core must be one of {', '.join(CORES)}, got {self.core!r}")
        if not isinstance(self.grid, int | float) or not MIN_GRID <= self.grid <= MAX_GRID:
            raise ValueError(f"grid must lie in {MIN_GRID:g}..{MAX_GRID:g} beats, got {self.grid!r}")
        if self.dt is not None and not (isinstance(self.dt, int | float) and 0 < self.dt <= MAX_GRID):
            raise ValueError(f"dt must lie in 0..{MAX_GRID:g} seconds, got {self.dt!r}")
        if self.low + self.n_pitches > 128:
            raise ValueError(f"the pitches {self.low}..{self.low + self.n_pitches - 1} leave MIDI's 0..127")


class RnnRbm(nn.Module):
    """P(v_1..v_T) = prod_t P(v_t | past), each factor an RBM with biases (eq. 9 and 10)

        b_v(t) = b_v + u_{t-1} W_uv        b_h(t) = b_h + u_{t-1} W_uh

    The state is a tensor [S, B, recurrent]; S is 1, or 2 for the LSTM, and row 0 is u.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        config.check()
        self.config = config
        n_visible, hidden, recurrent = config.n_visible, config.hidden, config.recurrent
        self.W = nn.Parameter(0.01 * torch.randn(n_visible, hidden))
        self.b_v = nn.Parameter(torch.zeros(n_visible))
        self.b_h = nn.Parameter(torch.zeros(hidden))
        self.W_uv = nn.Parameter(0.0001 * torch.randn(recurrent, n_visible))
        self.W_uh = nn.Parameter(0.0001 * torch.randn(recurrent, hidden))
        make_core = {"tanh": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}[config.core]
        self.core = make_core(config.n_inputs, recurrent, batch_first=True)
        if config.core == "tanh":  # the reference's scale; the gated cores keep torch's, which they need to learn
            for name, parameter in self.core.named_parameters():
                nn.init.normal_(parameter, std=0.0001) if "weight" in name else nn.init.zeros_(parameter)
        rows = 2 if config.core == "lstm" else 1
        self.u0 = nn.Parameter(torch.zeros(rows, recurrent), requires_grad=config.learn_u0)

    def initial_state(self, batch: int = 1) -> Tensor:
        """The state before the first frame, [S, batch, recurrent]."""
        return self.u0.unsqueeze(1).expand(-1, batch, -1)

    def biases(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """b_v(t) [..., n_visible] and b_h(t) [..., hidden] from u_{t-1} [..., recurrent]."""
        return self.b_v + u @ self.W_uv, self.b_h + u @ self.W_uh

    def states(self, inputs: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Runs the core over `inputs` [B, T, n_inputs] from `state` (the initial one where None).

        Returns:
            u_0 .. u_{T-1}, what each frame is conditioned on, [B, T, recurrent], and the state after the last frame.
        """
        state = self.initial_state(len(inputs)) if state is None else state
        before = state[0].unsqueeze(1)
        if self.config.core == "lstm":
            u, (h, c) = self.core(inputs, (state[0:1].contiguous(), state[1:2].contiguous()))
            after = torch.cat([h, c])
        else:
            u, after = self.core(inputs, state.contiguous())
        return torch.cat([before, u[:, :-1]], dim=1), after

    def inputs(self, frames: NDArray[np.uint8], first: int, bar_beats: float) -> Tensor:
        """What the core reads of frames [T, 2, n_pitches], of which the first is number `first`, [T, n_inputs]."""
        v = self.encode(frames).astype(np.float32)
        if self.config.bars:
            v = np.concatenate([v, positions(first + 1, len(v), self.config.grid, bar_beats)], axis=1)
        return torch.from_numpy(v)

    def encode(self, frames: NDArray[Integer]) -> NDArray[Integer]:
        """Visible units [..., n_visible] of frames [..., 2, n_pitches]."""
        if self.config.onsets:
            return frames.reshape(*frames.shape[:-2], -1)
        return frames[..., SOUNDING, :]

    def decode(self, v: NDArray[np.uint8], previous: Frame) -> Frame:
        """The legal frame [2, n_pitches] that visible units v [n_visible] stand for, after the frame `previous`.

        What sounds without having sounded before is struck; only what sounds can be. A model without onsets holds
        whatever goes on sounding.
        """
        n = self.config.n_pitches
        sounding = v[:n].astype(np.uint8)
        again = v[n:].astype(np.uint8) if self.config.onsets else np.zeros_like(sounding)
        frame = np.empty((2, n), np.uint8)
        frame[SOUNDING] = sounding
        frame[STRUCK] = sounding & (again | (1 - previous[SOUNDING]))
        return frame

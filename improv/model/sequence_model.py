"""The RNN-RBM and the RNN-NADE (Boulanger-Lewandowski, Bengio & Vincent, ICML 2012): a model of every frame given a
recurrent net that has seen the frames before."""

from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from improv.model.config import Config
from improv.model.core import Cores, Past, State
from improv.model.nade import Nade, TiedNade
from improv.model.rbm import ConditionalRbm, TiedRbm
from improv.music.meter import positions
from improv.music.pianoroll import SOUNDING, STRUCK, Frame
from improv.music.recall import Recalled

Integer = TypeVar("Integer", bound=np.integer[Any])


class SequenceModel(nn.Module):
    """P(v_1..v_T) = prod_t P(v_t | past), each factor an RBM, a NADE, or both side by side.

    Attributes:
        cores: from the frames before to the past.
        rbm, nade: the estimators of a frame given the past; None where the configuration has none.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        config.check()
        self.config = config
        self.cores = Cores(config)
        self.rbm = (TiedRbm(config) if config.tied else ConditionalRbm(config)) if config.has_rbm else None
        self.nade = (TiedNade(config) if config.tied else Nade(config)) if config.has_nade else None

    def pasts(self, inputs: Tensor, state: State | None = None) -> tuple[Past, State]:
        """Runs the cores over `inputs` [B, T, n_inputs] from `state` (the initial one where None).

        Returns:
            What each frame is conditioned on, [B, T, ...], and the state after the last frame.
        """
        past, after = self.cores(inputs, self.cores.initial(len(inputs)) if state is None else state)
        return past, after

    def inputs(
        self, frames: NDArray[np.uint8], first: int, bar_beats: float, recalled: Recalled | None = None
    ) -> Tensor:
        """What the cores read of frames [T, 2, n_pitches], of which the first is number `first`, [T, n_inputs].

        A model with recall needs to be given what they recall.
        """
        v = self.encode(frames)
        parts, told = [v], []
        if self.config.recall:
            assert recalled is not None
            parts.append(self.encode(recalled.frames))
            told.append(recalled.levels)
        if self.config.bars:
            told.append(positions(first + 1, len(v), self.config.grid, bar_beats))
        return torch.from_numpy(np.concatenate([*parts, *told], axis=1, dtype=np.float32))

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

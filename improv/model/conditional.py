"""Biases that follow the past, which the RBM and NADE share."""

import torch
from torch import Tensor, nn

from improv.model.config import Config
from improv.model.core import Past
from improv.model.initial import gaussian


class Conditional(nn.Module):
    """An estimator of a frame with biases set by what went before (eq. 9 and 10 of Boulanger-Lewandowski et al. 2012):

    b_v(t) = b_v + u_{t-1} W_uv        b_h(t) = b_h + u_{t-1} W_uh
    """

    def add_biases(self, config: Config) -> None:
        """Makes the parameters."""
        self.b_v = nn.Parameter(torch.zeros(config.n_visible))
        self.b_h = nn.Parameter(torch.zeros(config.hidden))
        self.W_uv = nn.Parameter(gaussian(0.0001, config.recurrent, config.n_visible))
        self.W_uh = nn.Parameter(gaussian(0.0001, config.recurrent, config.hidden))

    def biases(self, past: Past) -> tuple[Tensor, Tensor]:
        """b_v(t) [..., V] and b_h(t) [..., H]."""
        return self.b_v + past.u @ self.W_uv, self.b_h + past.u @ self.W_uh

    def predicted(self, past: Past) -> Tensor:
        """Log-odds of the visible units [..., V] from the past alone, no hidden unit on."""
        return self.biases(past)[0]

"""Weights that depend on the interval between two pitches, not on the pitches."""

from functools import cache

import torch
from torch import Tensor, nn

from improv.model.initial import gaussian

OCTAVE = 12


class Intervals(nn.Module):
    """A linear map from visible units [..., channels * P] to features of every pitch [..., P, features].

    What pitch i hears of pitch j is the sum of three weights: of the interval j - i within `reach` semitones, of the
    interval modulo the octave at any distance, and of there being a note at all.

    Args:
        above: whether a pitch hears only those above it.
    """

    def __init__(
        self, n_pitches: int, channels: int, features: int, reach: int, above: bool = False, scale: float = 1.0
    ) -> None:
        super().__init__()
        self.n_pitches, self.channels, self.features = n_pitches, channels, features
        self.reach, self.above = reach, above
        self.near = nn.Parameter(gaussian(0.15 * scale, 2 * reach + 1, channels, features))
        self.octave = nn.Parameter(gaussian(0.05 * scale, OCTAVE, channels, features))
        self.any = nn.Parameter(torch.zeros(channels, features))
        self._matrix: Tensor | None = None

    def train(self, mode: bool = True) -> "Intervals":
        """Forgets the matrix, which may be kept only while the weights stay as they are."""
        self._matrix = None
        return super().train(mode)

    def matrix(self) -> Tensor:
        """The whole map [channels * P, P * features]; in evaluation it is put together once."""
        if self._matrix is not None:
            return self._matrix
        near, octave, heard = _indices(self.n_pitches, self.reach, self.above)
        near, octave, heard = (index.to(self.near.device) for index in (near, octave, heard))
        table = torch.cat([self.near, torch.zeros_like(self.near[:1])])  # the last row: out of reach
        weights = (table[near] + self.octave[octave] + self.any) * heard[..., None, None]  # [P to, P from, C, features]
        matrix = weights.permute(2, 1, 0, 3).reshape(self.channels * self.n_pitches, -1)
        if not self.training and not torch.is_grad_enabled():
            self._matrix = matrix
        return matrix

    def forward(self, v: Tensor) -> Tensor:
        """Features [..., P, features] of v [..., channels * P]."""
        return (v @ self.matrix()).view(*v.shape[:-1], self.n_pitches, self.features)


@cache
def _indices(n_pitches: int, reach: int, above: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Which weights stand between pitch i (rows) and pitch j (columns), each [P, P]: near, octave, and whether any."""
    i, j = torch.meshgrid(torch.arange(n_pitches), torch.arange(n_pitches), indexing="ij")
    interval = j - i
    near = torch.where(interval.abs() <= reach, interval + reach, 2 * reach + 1)
    return near, interval % OCTAVE, (interval > 0).float() if above else torch.ones(n_pitches, n_pitches)

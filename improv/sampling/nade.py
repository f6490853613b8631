"""Samples of a NADE, frame by frame: what starts the live chain, or stands for it."""

from typing import Protocol

import numpy as np
import torch
from numba import float32, njit
from numpy.typing import NDArray

from improv.model.core import Past
from improv.model.nade import Nade, TiedNade
from improv.sampling import kernels
from improv.sampling.chain import Bits, Floats
from improv.sampling.tied import CompiledTiedStart
from improv.sampling.weights import array


class NadeSampler(Protocol):
    """Draws frames from a NADE. What is clamped is never drawn, and what comes later in the order knows of it."""

    def sample(self, past: Past, lean: Floats, temperature: float, held: NDArray[np.int8]) -> Bits:
        """One frame v uint8 [V] given `past` [1, ...], `lean` [V] added to the visible biases, at the clamp `held` [V]
        (see Chain)."""

    def rewind(self) -> None:
        """The next frame is drawn by the random numbers of the last one."""


class TorchNade:
    """NadeSampler by torch, the oracle; its choices follow from `seed`."""

    def __init__(self, nade: Nade | TiedNade, seed: int) -> None:
        self._nade = nade
        self._generator = torch.Generator().manual_seed(seed)
        self._before = self._generator.get_state()

    def sample(self, past: Past, lean: Floats, temperature: float, held: NDArray[np.int8]) -> Bits:
        """See NadeSampler."""
        self._before = self._generator.get_state()
        clamp, leaning = torch.from_numpy(held).unsqueeze(0), torch.from_numpy(lean)
        v, _ = self._nade.sample(past, self._generator, temperature, clamp, leaning)
        return v[0].numpy().astype(np.uint8)

    def rewind(self) -> None:
        """See NadeSampler."""
        self._generator.set_state(self._before)


class CompiledNade:
    """NadeSampler in compiled code; its choices follow from `seed`."""

    def __init__(self, nade: Nade | TiedNade, seed: int) -> None:
        self._nade = nade
        self._rng = np.random.default_rng(seed)
        self._order = nade.order.numpy().copy()
        self._chance, self._rewound = self._drawn(), False
        if isinstance(nade, TiedNade):
            heard = nade.above.matrix().view(nade.config.n_visible, nade.config.n_pitches, -1)
            layers = nade.second.weight, nade.second.bias, nade.out.weight, nade.out.bias
            self._weights = [array(tensor) for tensor in (heard, *layers)]
            self._start = CompiledTiedStart(nade)
        else:
            self._weights = [array(nade.W), array(nade.U)]

    def sample(self, past: Past, lean: Floats, temperature: float, held: NDArray[np.int8]) -> Bits:
        """See NadeSampler."""
        if not self._rewound:
            self._chance = self._drawn()
        self._rewound = False
        v = np.zeros(len(held), np.uint8)
        args = held, 1 / temperature, self._chance, v
        if isinstance(self._nade, TiedNade):
            assert past.s is not None
            pre, b_v = self._start.of(past.u.numpy()[0], past.s.numpy()[0])
            _tied_sweep(pre, b_v + lean, *self._weights, float(self._nade.sounds), self._order, *args)  # type: ignore[call-arg]
        else:
            b_v, pre = (array(tensor[0]) for tensor in self._nade.biases(past))
            _sweep(pre, b_v + lean, *self._weights, self._order, *args)  # type: ignore[call-arg]
        return v

    def rewind(self) -> None:
        """See NadeSampler."""
        self._rewound = True

    def _drawn(self) -> Floats:
        """Random numbers in 0..1 for a sweep, [V]."""
        return self._rng.random(len(self._order), np.float32)


@njit(inline="always")
def _decide(logit, held, beta, chance):  # type: ignore[no-untyped-def]
    return np.uint8(held) if held >= 0 else np.uint8(chance < kernels.sigmoid(beta * logit))


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def _sweep(pre, b_v, w, u, order, held, inverse_temperature, chance, v):  # type: ignore[no-untyped-def]
    """NADE: pre-activations `pre` [H] are changed in place; `v` [V] receives the sample."""
    beta = float32(inverse_temperature)
    h = np.empty_like(pre)
    changed = True
    for i in order:
        if changed:  # only a unit that is on changes what the later ones see
            for j in range(len(pre)):
                h[j] = kernels.sigmoid(pre[j])
        logit = b_v[i]
        for j in range(len(pre)):
            logit += u[i, j] * h[j]
        v[i] = _decide(logit, held[i], beta, chance[i])
        changed = v[i] == 1
        if changed:
            for j in range(len(pre)):
                pre[j] += w[i, j]


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def _tied_sweep(  # type: ignore[no-untyped-def]
    pre, b_v, heard, second, b_second, out, b_out, sounds, order, held, inverse_temperature, chance, v
):
    """Tied NADE: pre-activations `pre` [P, d] are changed in place; `v` [V] receives the sample."""
    beta = float32(inverse_temperature)
    n_pitches, size = pre.shape
    hidden = np.empty(size, np.float32)
    for i in order:
        pitch, channel = i % n_pitches, i // n_pitches
        if channel == 0:  # both units of a pitch see the same
            for j in range(size):
                total = b_second[j]
                for k in range(size):
                    total += second[j, k] * max(pre[pitch, k], float32(0.0))
                hidden[j] = max(total, float32(0.0))
        logit = b_v[i] + b_out[channel]
        for j in range(size):
            logit += out[channel, j] * hidden[j]
        if channel:
            logit += float32(sounds) * (float32(v[pitch]) - float32(1.0))
        v[i] = _decide(logit, held[i], beta, chance[i])
        if v[i]:
            for below in range(pitch):
                for j in range(size):
                    pre[below, j] += heard[i, below, j]

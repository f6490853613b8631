"""The CPU chain: one fused kernel, one thread, no GIL.

The pre-activations of both layers are kept up to date by adding or subtracting the weight rows of the units that
flipped in a step: in a trained model that is a fraction of them, so it costs a fraction of the two matrix products.
"""

import numpy as np
from numba import float32, njit, uint64
from numpy.typing import NDArray

from improv.sampling.chain import FREE, Bits, Floats, Sample

REFRESH = 512  # steps after which the pre-activations are summed anew, so that rounding cannot pile up


class CpuChain:
    """Chain in compiled code. The first object in a process loads the kernel from numba's cache, or compiles it."""

    name = "cpu"

    def __init__(self, weights: Floats, seed: int) -> None:
        self._w = np.ascontiguousarray(weights, np.float32)
        self._w_t = np.ascontiguousarray(self._w.T)
        self._rng = np.array(_splitmix(seed), np.uint64)

    def sample(
        self, b_v: Floats, b_h: Floats, start: Bits, k: int, temperature: float, held: NDArray[np.int8] | None = None
    ) -> Sample:
        """See Chain."""
        v = start.astype(np.uint8)
        means = np.empty(v.shape, np.float32)
        held = np.full(v.shape, FREE, np.int8) if held is None else held  # a read-only one would be compiled anew
        for n in range(len(v)):
            _chain(self._w, self._w_t, b_v[n], b_h[n], v[n], means[n], held[n], k, 1 / temperature, self._rng)
        return Sample(v, means)


def _splitmix(seed: int) -> list[int]:
    """Four words of state for xoshiro256+ from any seed (Vigna's splitmix64)."""
    words, x, mask = [], seed & (2**64 - 1), 2**64 - 1
    for _ in range(4):
        x = (x + 0x9E3779B97F4A7C15) & mask
        z = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        words.append(z ^ (z >> 31))
    return words


@njit(inline="always")
def _uniform(s):  # type: ignore[no-untyped-def]
    """The next number in [0, 1) of xoshiro256+ (Blackman & Vigna 2018); `s` is its state, uint64 [4]."""
    result = s[0] + s[3]
    t = s[1] << uint64(17)
    s[2] ^= s[0]
    s[3] ^= s[1]
    s[1] ^= s[2]
    s[0] ^= s[3]
    s[2] ^= t
    s[3] = (s[3] << uint64(45)) | (s[3] >> uint64(19))
    return float32(result >> uint64(40)) * float32(1.0 / (1 << 24))


@njit(inline="always")
def _sigmoid(x):  # type: ignore[no-untyped-def]
    return float32(1.0) / (float32(1.0) + np.exp(-x))


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def _chain(  # type: ignore[no-untyped-def]
    w, w_t, b_v, b_h, v, means, held, k, inverse_temperature, rng
) -> None:
    """`k` steps of one chain from `v` [V], in place; `means` [V] receives the last means of the visible units."""
    n_visible, n_hidden = w.shape
    beta = float32(inverse_temperature)
    h = np.zeros(n_hidden, np.uint8)
    pre_h = b_h.copy()
    pre_v = b_v.copy()
    for i in range(n_visible):
        if held[i] >= 0:
            v[i] = held[i]
        if v[i]:
            pre_h += w[i]
    for step in range(k):
        if step % REFRESH == REFRESH - 1:
            pre_h[:] = b_h
            for i in range(n_visible):
                if v[i]:
                    pre_h += w[i]
            pre_v[:] = b_v
            for j in range(n_hidden):
                if h[j]:
                    pre_v += w_t[j]
        for j in range(n_hidden):
            on = np.uint8(_uniform(rng) < _sigmoid(beta * pre_h[j]))
            if on != h[j]:
                sign = float32(1.0) if on else float32(-1.0)
                row = w_t[j]
                for i in range(n_visible):
                    pre_v[i] += sign * row[i]
                h[j] = on
        for i in range(n_visible):
            if held[i] >= 0:
                continue
            on = np.uint8(_uniform(rng) < _sigmoid(beta * pre_v[i]))
            if on != v[i]:
                sign = float32(1.0) if on else float32(-1.0)
                row = w[i]
                for j in range(n_hidden):
                    pre_h[j] += sign * row[j]
                v[i] = on
    for i in range(n_visible):
        means[i] = held[i] if held[i] >= 0 else _sigmoid(beta * pre_v[i])

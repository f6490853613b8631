"""The CPU chain, by compiled code."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from improv.sampling import kernels
from improv.sampling.chain import FREE, Bits, Floats, Sample, in_blocks


class CpuChain:
    """Chain in compiled code. The first object in a process loads the kernel from numba's cache, or compiles it.

    A call of at most kernels.block steps (317 at 88x150, some 0.15 ms), over all its chains, keeps the interpreter's
    lock; a longer one, which other threads should not have to wait for, releases it. Taking the lock back from a busy
    Python thread costs more than a short chain: measured beside one, in the engine's settings, 25 steps took 0.06 ms
    in the median either way, but at the 99th percentile 0.3 ms with the lock kept and 3 ms with it released.
    """

    name = "cpu"

    def __init__(self, weights: Floats, seed: int) -> None:
        self._w, self._w_t = kernels.padded(weights), kernels.padded(weights.T)
        self._rng = kernels.random_state(seed)
        self._before = self._rng[0]
        self._block = int(kernels.block.py_func(*weights.shape))  # type: ignore[no-untyped-call]

    def sample(
        self,
        b_v: Floats,
        b_h: Floats,
        start: Bits,
        k: int,
        temperature: float,
        held: NDArray[np.int8] | None = None,
        deadline: float = math.inf,
    ) -> Sample:
        """See Chain."""
        self._before = self._rng[0]
        v = np.array(start, np.uint8, order="C")  # arrays of another layout, or read-only, would be compiled for anew
        means = np.empty(v.shape, np.float32)
        held = np.full(v.shape, FREE, np.int8) if held is None else np.array(held, order="C")
        b_v, b_h, beta = np.ascontiguousarray(b_v), np.ascontiguousarray(b_h), 1 / temperature
        sample = _short if len(v) * k <= self._block else _long

        def run(steps: int) -> None:
            sample(self._w, self._w_t, b_v, b_h, v, means, held, steps, beta, self._rng)

        return Sample(v, means, in_blocks(run, k, self._block, deadline))

    def rewind(self) -> None:
        """See Chain."""
        self._rng[0] = self._before


@njit(cache=True, fastmath=True, error_model="numpy")
def _short(w, w_t, b_v, b_h, v, means, held, k, beta, rng):  # type: ignore[no-untyped-def]
    """The steps, and the means of where they end; arguments as of kernels.gibbs.

    It keeps the interpreter's lock: see CpuChain.
    """
    kernels.gibbs(w, w_t, b_v, b_h, v, means, held, k, beta, rng)
    for n in range(len(v)):
        for i in range(v.shape[1]):
            means[n, i] = kernels.sigmoid(means[n, i]) if held[n, i] < 0 else held[n, i]


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def _long(w, w_t, b_v, b_h, v, means, held, k, beta, rng):  # type: ignore[no-untyped-def]
    """The same without the lock: a function of its own, as numba's cache does not tell the two apart by that."""
    _short(w, w_t, b_v, b_h, v, means, held, k, beta, rng)

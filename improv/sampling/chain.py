"""The interface of the live Gibbs chain, and those who can run it.

A chain is made once for the weights of a model and then samples frame after frame. All implementations draw from the
same distribution; `reference` is the oracle the others are tested against.
"""

import math
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from improv.errors import ImprovError

Floats = NDArray[np.float32]
Bits = NDArray[np.uint8]

FREE = -1
"""Value of a visible unit in `held` that the chain may set."""

SAMPLERS = ("cpu", "torch", "cuda-graph", "triton")


class Sample(NamedTuple):
    """Where N chains ended: v uint8 [N, V], P(v = 1 | last h) float32 [N, V], which clamps override, and after how
    many Gibbs steps."""

    v: Bits
    means: Floats
    k: int


class Chain(Protocol):
    """Block Gibbs sampling of RBMs that share weights W [V, H] and differ in their biases."""

    name: str

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
        """Runs `k` steps, or fewer where `deadline` would pass.

        Args:
            b_v, b_h: biases, float32 [N, V] and [N, H].
            start: the visible units to start from, uint8 [N, V].
            k: Gibbs steps, at least 1.
            temperature: divides both pre-activations.
            held: int8 [N, V]: FREE where the chain decides, 0 or 1 where the unit is clamped.
            deadline: moment of time.perf_counter by which the chain should have ended; a first few steps are always
                run. How many there are changes nothing else: the chain is that of so many steps.
        """

    def rewind(self) -> None:
        """The next sample is drawn by the random numbers of the last one."""


def in_blocks(run: Callable[[int], object], k: int, block: int, deadline: float) -> int:
    """Runs `k` steps by calls of `run(steps)`, of at most `block` steps each where there is a deadline.

    None is begun that would end after `deadline`, if it takes as long as the one before. Returns the steps run.
    """
    if deadline == math.inf:
        run(k)
        return k
    done, took = 0, 0.0
    while done < k:
        begun = time.perf_counter()
        if done and begun + took > deadline:
            break
        steps = min(block, k - done)
        run(steps)
        done += steps
        took = time.perf_counter() - begun
    return done


def make_chain(weights: Floats, seed: int, sampler: str = "cpu") -> Chain:
    """A chain for W float32 [V, H] whose choices follow from `seed`.

    Raises:
        ImprovError: there is no such sampler.
    """
    if sampler == "cpu":
        from improv.sampling.cpu import CpuChain

        return CpuChain(weights, seed)
    if sampler == "torch":
        from improv.sampling.reference import ReferenceChain

        return ReferenceChain(weights, seed)
    if sampler == "cuda-graph":
        from improv.sampling.graph import GraphChain

        return GraphChain(weights, seed)
    if sampler == "triton":
        from improv.sampling.fused import FusedChain

        return FusedChain(weights, seed)
    raise ImprovError(f"there is no sampler {sampler}: choose one of {', '.join(SAMPLERS)}")

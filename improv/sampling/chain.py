"""The interface of the live Gibbs chain, and the choice of who runs it.

A chain is made once for the weights of a model and then samples frame after frame. All implementations draw from the
same distribution; `reference` is the oracle the others are tested against.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from improv.errors import ImprovError

Floats = NDArray[np.float32]
Bits = NDArray[np.uint8]

FREE = -1
"""Value of a visible unit in `held` that the chain may set."""

SAMPLERS = ("cpu", "torch")


@dataclass(frozen=True)
class Sample:
    """Where N chains ended: v uint8 [N, V], and P(v = 1 | last h) float32 [N, V], which clamps override."""

    v: Bits
    means: Floats


class Chain(Protocol):
    """Block Gibbs sampling of RBMs that share weights W [V, H] and differ in their biases."""

    name: str

    def sample(
        self, b_v: Floats, b_h: Floats, start: Bits, k: int, temperature: float, held: NDArray[np.int8] | None = None
    ) -> Sample:
        """Runs `k` steps.

        Args:
            b_v, b_h: biases, float32 [N, V] and [N, H].
            start: the visible units to start from, uint8 [N, V].
            k: Gibbs steps, at least 1.
            temperature: divides both pre-activations.
            held: int8 [N, V]: FREE where the chain decides, 0 or 1 where the unit is clamped.
        """


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
    raise ImprovError(f"there is no sampler {sampler}: choose one of {', '.join(SAMPLERS)}")

"""A chain written step by step, and what it becomes by the mistakes one makes: the statistics must find them out."""

import math

import numpy as np
from numpy.typing import NDArray

from improv.sampling.chain import FREE, Bits, Floats, Sample


class StepwiseChain:
    """Chain in plain numpy."""

    name = "stepwise"

    def __init__(self, weights: Floats, seed: int) -> None:
        self._w = weights
        self._rng = np.random.default_rng(seed)

    def sample(
        self,
        b_v: Floats,
        b_h: Floats,
        start: Bits,
        k: int,
        temperature: float,
        held: NDArray[np.int8] | None = None,
        _deadline: float = math.inf,
    ) -> Sample:
        """See Chain; no deadline is looked at."""
        held = np.full(start.shape, FREE, np.int8) if held is None else held
        v = clamp(start, held)
        for step in range(k):
            p_h = sigmoid(self.hidden(v @ self._w, b_h, temperature))
            chance = self._rng.random(p_h.shape, np.float32)
            means = sigmoid(self.visible((chance < p_h) @ self._w.T, b_v, temperature))
            v = (self.chance_of_visible(chance, means.shape) < means).astype(np.uint8)
            v = clamp(v, held) if self.clamps(step, k) else v
        return Sample(v, np.where(held < 0, means, held).astype(np.float32), k)

    def hidden(self, product: Floats, bias: Floats, temperature: float) -> Floats:
        """Pre-activations."""
        return (product + bias) / temperature

    def visible(self, product: Floats, bias: Floats, temperature: float) -> Floats:
        """Pre-activations."""
        return (product + bias) / temperature

    def chance_of_visible(self, _of_hidden: Floats, shape: tuple[int, ...]) -> Floats:
        """Uniform numbers."""
        return self._rng.random(shape, np.float32)

    def clamps(self, _step: int, _k: int) -> bool:
        """Whether clamped units are set after a step."""
        return True


class SharesUniforms(StepwiseChain):
    """A step draws both layers by the same random numbers."""

    def chance_of_visible(self, of_hidden: Floats, shape: tuple[int, ...]) -> Floats:
        """As many of the hidden units' as there are, in turn."""
        return np.resize(of_hidden.T, shape[::-1]).T


class BiasesNotTempered(StepwiseChain):
    """The temperature divides the weights alone."""

    def hidden(self, product: Floats, bias: Floats, temperature: float) -> Floats:
        """Pre-activations."""
        return product / temperature + bias

    visible = hidden


class OnlyVisibleTempered(StepwiseChain):
    """The temperature divides the visible layer's pre-activations alone."""

    def hidden(self, product: Floats, bias: Floats, _temperature: float) -> Floats:
        """Pre-activations."""
        return product + bias


class ClampsOnlyAtTheEnds(StepwiseChain):
    """What is clamped is set at the start and in the sample, and drawn in between."""

    def clamps(self, step: int, k: int) -> bool:
        """Whether clamped units are set after a step."""
        return step == k - 1


def clamp(v: Bits, held: NDArray[np.int8]) -> Bits:
    """The units [N, V] with those that are held where they are."""
    return np.where(held < 0, v, held).astype(np.uint8)


def sigmoid(x: Floats) -> Floats:
    """1 / (1 + e^-x)."""
    return np.exp(-np.logaddexp(0, -x))

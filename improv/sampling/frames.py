"""Frames drawn one after another from a model, given what was heard: what the improviser plays from."""

import math

import numpy as np
from numpy.typing import NDArray

from improv.model.sequence_model import SequenceModel
from improv.sampling.chain import Bits, Floats, make_chain
from improv.sampling.cores import CompiledMemory, Memory, TorchMemory
from improv.sampling.nade import CompiledNade, NadeSampler, TorchNade

BURN_IN = 100  # steps from silence after which an RBM by itself plays what it has learned


class FrameSampler:
    """The recurrent state of one performance, and who samples from it.

    With the sampler `torch` nothing compiled is needed; with the others all that can be is compiled code.

    Args:
        model: on the CPU.
        seed: of all its choices.
        sampler: who runs the chain, one of improv.sampling.chain.SAMPLERS.
        burn_in: steps that come before the others where no NADE proposes a start.
    """

    def __init__(self, model: SequenceModel, seed: int, sampler: str, burn_in: int = BURN_IN) -> None:
        compiled = sampler != "torch"
        self.sampler = sampler
        self._silence = np.zeros(model.config.n_visible, np.uint8)
        self._burn_in = burn_in if model.nade is None else 0
        fits = compiled and CompiledMemory.fits(model.config)
        self._memory: Memory = CompiledMemory(model) if fits else TorchMemory(model)
        self._nade: NadeSampler | None = None
        if model.nade is not None:
            self._nade = (
                CompiledNade(model.nade, seed) if compiled else TorchNade(model.nade, seed ^ 1)
            )  # the chain's are others
        self._chain = None if model.rbm is None else make_chain(model.rbm.W.detach().numpy(), seed, sampler)
        self._sampled = False  # this frame

    def forget(self) -> None:
        """Nothing has been heard."""
        self._memory.forget()

    def hear(self, inputs: Floats) -> None:
        """Takes in the cores' inputs [T, n_inputs] of frames that are over."""
        self._memory.hear(inputs)

    def go_on(self) -> None:
        """The next sample is of another frame."""
        self._sampled = False

    def sample(
        self, held: NDArray[np.int8], lean: Floats, temperature: float, k: int, deadline: float = math.inf
    ) -> tuple[Bits, int]:
        """Visible units [V] of the next frame at the clamp `held` [V], `lean` [V] added to their biases.

        Also how many Gibbs steps there were: `k`, with the burn-in where there is one, or as many as end before
        `deadline` (see Chain).

        The chain starts where NADE proposes, else from silence: from the frame before, it would but repeat that.

        All samples of one frame are drawn by the same random numbers: a note that comes while the frame sounds changes
        what follows from it, and nothing else. (Drawn by others, the answers to the notes of the demo tune struck two
        to three times as many notes, and each made the next more restless.)
        """
        if self._sampled:
            self._rewind()
        self._sampled = True
        start = self._silence
        if self._nade is not None:
            start = self._nade.sample(self._memory.past(), lean, temperature, held)
        if self._chain is None:
            return start, 0  # which NADE has drawn: without either there is no model
        b_v, b_h = self._memory.biases()
        steps = k + self._burn_in
        v, _, steps = self._chain.sample(b_v + lean, b_h, start[None], steps, temperature, held[None], deadline)
        return v[0], steps

    def _rewind(self) -> None:
        for source in (self._nade, self._chain):
            if source is not None:
                source.rewind()

"""The reference chain in plain torch: the oracle, and what plays while the faster ones are being compiled."""

import math

import numpy as np
import torch
from numpy.typing import NDArray

from improv.model.rbm import gibbs
from improv.sampling.chain import Bits, Floats, Sample, in_blocks

BLOCK = 8  # steps of some 30 us


class ReferenceChain:
    """Chain by `improv.model.rbm.gibbs`."""

    name = "torch"

    def __init__(self, weights: Floats, seed: int) -> None:
        self._weights = torch.from_numpy(np.array(weights, np.float32))
        self._generator = torch.Generator().manual_seed(seed)
        self._before = self._generator.get_state()

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
        self._before = self._generator.get_state()
        visible, hidden = torch.from_numpy(b_v), torch.from_numpy(b_h)
        clamp = None if held is None else torch.from_numpy(held)
        v = logits = torch.from_numpy(start.astype(np.float32))

        def run(steps: int) -> None:
            nonlocal v, logits
            v, logits = gibbs(v, self._weights, visible, hidden, steps, self._generator, temperature, clamp)

        done = in_blocks(run, k, BLOCK, deadline)
        means = torch.sigmoid(logits).numpy()
        return Sample(v.numpy().astype(np.uint8), means if held is None else np.where(held < 0, means, held), done)

    def rewind(self) -> None:
        """See Chain."""
        self._generator.set_state(self._before)

"""The reference chain in plain torch: the oracle."""

import numpy as np
import torch
from numpy.typing import NDArray

from improv.model.rbm import gibbs
from improv.sampling.chain import Bits, Floats, Sample


class ReferenceChain:
    """Chain by `improv.model.rbm.gibbs`."""

    name = "torch"

    def __init__(self, weights: Floats, seed: int) -> None:
        self._weights = torch.from_numpy(np.array(weights, np.float32))
        self._generator = torch.Generator().manual_seed(seed)

    def sample(
        self, b_v: Floats, b_h: Floats, start: Bits, k: int, temperature: float, held: NDArray[np.int8] | None = None
    ) -> Sample:
        """See Chain."""
        v, logits = gibbs(
            torch.from_numpy(start.astype(np.float32)),
            self._weights,
            torch.from_numpy(b_v),
            torch.from_numpy(b_h),
            k,
            self._generator,
            temperature,
            None if held is None else torch.from_numpy(held),
        )
        means = torch.sigmoid(logits).numpy()
        return Sample(v.numpy().astype(np.uint8), means if held is None else np.where(held < 0, means, held))

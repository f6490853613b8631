"""The weights of a model as compiled code takes them."""

import numpy as np
import torch
from torch import Tensor

from improv.sampling.chain import Floats


def array(tensor: Tensor) -> Floats:
    """The numbers of a weight, in memory of their own: never read-only, for which numba would compile anew."""
    with torch.inference_mode():
        return np.array(tensor.detach().numpy(), np.float32, order="C")

"""Where weights begin."""

import torch
from torch import Tensor


def gaussian(std: float, *shape: int) -> Tensor:
    """Normal numbers of standard deviation `std`; on the meta device, where to draw them would load torch's compiler
    for half a second, their shape alone."""
    values = torch.empty(shape)
    return values if values.is_meta else values.normal_(std=std)

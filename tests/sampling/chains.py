"""Every implementation of the chain that can be run here, those of the GPU too: on the CPU, as far as it can."""

import importlib.util
import os
from collections.abc import Callable

import torch

from improv.sampling.calibration import runnable
from improv.sampling.chain import Chain, Floats, make_chain
from improv.sampling.graph import GraphChain

Maker = Callable[[Floats, int], Chain]

CHAINS: dict[str, Maker] = {
    sampler: (lambda weights, seed, sampler=sampler: make_chain(weights, seed, sampler))  # type: ignore[misc]
    for sampler in runnable()
}
CHAINS["steps of the graph"] = lambda weights, seed: GraphChain(weights, seed, device="cpu")

if importlib.util.find_spec("triton") and not torch.cuda.is_available():  # there the kernel itself is among the rest
    os.environ["TRITON_INTERPRET"] = "1"  # read when a kernel is defined
    from improv.sampling.fused import FusedChain

    CHAINS["fused, interpreted"] = lambda weights, seed: FusedChain(weights, seed, device="cpu")
    CHAINS["fused in tiles, interpreted"] = lambda weights, seed: FusedChain(weights, seed, "cpu", tile_weights=16)

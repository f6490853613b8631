"""The chain on a CUDA GPU, as one kernel: all k steps in one launch, one program per chain.

The units and their pre-activations stay in registers throughout. So does W where it is no larger than one tile; else,
as at 88x150, each step reads it once, from the L1 or L2 cache, tile by tile of hidden units: a tile's part in the
visible units' pre-activations can be summed as soon as its hidden units are drawn. The random numbers are Philox's
(Salmon et al. 2011), counted by unit, step and chain, so that no state is kept.

Not yet run on a GPU: its tests run it in Triton's interpreter, and compile it for one.
"""

import math

import numpy as np
import torch
import triton
import triton.language as tl
from numpy.typing import NDArray

from improv.sampling.chain import FREE, Bits, Floats, Sample, in_blocks

BLOCK = 200  # steps between two looks at the clock, each of which waits for the GPU
TILE_WEIGHTS = 1 << 14  # of W in registers at a time: with twice as many they spill, 2 kB a thread at 88x150
WARPS = 16


def sizes(n_visible: int, n_hidden: int, tile_weights: int = TILE_WEIGHTS) -> dict[str, int]:
    """How the kernel cuts up W [V, H]: into tiles of all its rows, padded to a power of two, and of some columns."""
    rows = triton.next_power_of_2(n_visible)
    tile = min(triton.next_power_of_2(n_hidden), max(1, tile_weights // rows))
    return {"ROWS": rows, "TILE": tile, "TILES": triton.cdiv(n_hidden, tile)}


class FusedChain:
    """Chain in one Triton kernel."""

    name = "triton"

    def __init__(self, weights: Floats, seed: int, device: str = "cuda", tile_weights: int = TILE_WEIGHTS) -> None:
        self._device = device
        self._w = torch.from_numpy(np.array(weights, np.float32)).to(device)
        self._seed = seed % 2**31  # a larger one is of another type, for which the kernel would be compiled anew
        self._steps = self._before = 0  # run so far, modulo 2^31 likewise, and up to the last sample
        self._together = 1 if device == "cuda" else 1024  # the interpreter takes long for a program, not for its size
        n_visible, n_hidden = weights.shape
        self._sizes = sizes(n_visible, n_hidden, tile_weights)

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
        self._before = self._steps
        held = np.full(start.shape, FREE, np.int8) if held is None else held
        arrays = (b_v, b_h, start, np.zeros(start.shape, np.float32), held)
        visible, hidden, v, means, clamp = (torch.tensor(array, device=self._device) for array in arrays)

        def run(steps: int) -> None:
            _gibbs[(triton.cdiv(len(v), self._together),)](
                self._w, visible, hidden, v, means, clamp, 1 / temperature, self._seed, self._steps, steps, len(v),
                *self._w.shape, CHAINS=self._together, **self._sizes, num_warps=WARPS,
            )  # fmt: skip
            self._steps = (self._steps + steps) % 2**31
            if self._device == "cuda":
                torch.cuda.synchronize()

        done = in_blocks(run, k, BLOCK, deadline)
        return Sample(v.cpu().numpy(), means.cpu().numpy(), done)

    def rewind(self) -> None:
        """See Chain."""
        self._steps = self._before


@triton.jit
def _draw(pre, seed, unit, step, chain):  # type: ignore[no-untyped-def]
    """Units [C, ...] drawn by their logits, 0.0 or 1.0."""
    counter = tl.zeros(pre.shape, tl.int32)
    bits, _, _, _ = tl.philox(seed, counter + unit[None, :], counter + step, counter + chain[:, None], counter)
    return (tl.uint_to_uniform_float(bits) * (1.0 + tl.exp(-pre)) < 1.0).to(tl.float32)


@triton.jit(do_not_specialize=("seed", "first", "steps", "n"))
def _gibbs(  # type: ignore[no-untyped-def]
    w, b_v, b_h, v, means, held, beta, seed, first, steps, n, n_visible, n_hidden,
    CHAINS: tl.constexpr, ROWS: tl.constexpr, TILE: tl.constexpr, TILES: tl.constexpr,
):  # fmt: skip
    """`steps` steps, of which the first is number `first`, of CHAINS of the n chains; arguments as of kernels.gibbs."""
    chain = tl.program_id(0) * CHAINS + tl.arange(0, CHAINS)
    i, j = tl.arange(0, ROWS), tl.arange(0, TILE)
    there = (chain < n)[:, None] & (i < n_visible)[None, :]
    at = chain[:, None] * n_visible + i[None, :]
    on = tl.load(v + at, there, 0).to(tl.float32)
    clamp = tl.load(held + at, there, 0).to(tl.float32)
    on = tl.where(clamp < 0, on, clamp)
    bias = tl.load(b_v + at, there, 0.0)
    inside = (i < n_visible)[:, None]
    weights = tl.load(w + i[:, None] * n_hidden + j[None, :], inside & (j < n_hidden)[None, :], 0.0)
    pre = bias
    for number in range(steps):
        pre = bias
        for tile in range(TILES):
            unit = tile * TILE + j
            if TILES > 1:
                weights = tl.load(w + i[:, None] * n_hidden + unit[None, :], inside & (unit < n_hidden)[None, :], 0.0)
            here = (chain < n)[:, None] & (unit < n_hidden)[None, :]
            logits = tl.load(b_h + chain[:, None] * n_hidden + unit[None, :], here, 0.0)
            logits += tl.sum(on[:, :, None] * weights[None, :, :], axis=1)
            h = _draw(beta * logits, seed, n_visible + unit, first + number, chain)  # where no unit is, weights are 0
            pre += tl.sum(h[:, None, :] * weights[None, :, :], axis=2)
        on = tl.where(clamp < 0, _draw(beta * pre, seed, i, first + number, chain), clamp)
    tl.store(v + at, on.to(tl.uint8), there)
    tl.store(means + at, tl.where(clamp < 0, 1.0 / (1.0 + tl.exp(-beta * pre)), clamp), there)

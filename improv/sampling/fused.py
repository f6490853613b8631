"""The chain on a CUDA GPU, as one kernel: all k steps in one launch, one program per chain.

The units and their pre-activations stay in registers throughout. So does W where it is no larger than one tile; else,
as at 88x150, each step reads it once, from the L1 or L2 cache, tile by tile of hidden units: a tile's part in the
visible units' pre-activations can be summed as soon as its hidden units are drawn. The random numbers are Philox's
(Salmon et al. 2011), counted by unit, step and chain, so that no state is kept.

Without a GPU its tests run it in Triton's interpreter, and compile it for one.
"""

import math

import numpy as np
import torch
import triton
import triton.language as tl
from numpy.typing import NDArray

from improv.sampling.chain import FREE, Bits, Floats, Sample, in_blocks

BLOCK = 200  # steps between two looks at the clock, each of which waits for the GPU
TILE_WEIGHTS = 1 << 12  # of W in registers at a time
WARPS = 8  # the fastest of those tried on an H200 at 88x150; with all of W in registers it takes four times as long
ALIGNED = 32  # every array begins at a multiple of so many float32s, so that it can be read in wide loads


def sizes(n_visible: int, n_hidden: int, tile_weights: int = TILE_WEIGHTS) -> dict[str, int]:
    """How the kernel cuts up W [V, H]: into tiles of all its rows, padded to a power of two, and of some columns."""
    rows = triton.next_power_of_2(n_visible)
    tile = min(triton.next_power_of_2(n_hidden), max(1, tile_weights // rows))
    return {"ROWS": rows, "TILE": tile, "TILES": triton.cdiv(n_hidden, tile)}


class Buffers:
    """What the kernel reads and writes, side by side, so that one copy takes all of it to the device and one brings it
    back: each costs as much as some steps of the chain.

    Attributes:
        b_v, b_h, held, v, means: on the host, float32 [N, V], [N, H], [N, V], [N, V], [N, V].
        there: the same on the device, each as a flat tensor.
    """

    def __init__(self, n: int, shape: tuple[int, ...], device: str) -> None:
        n_visible, n_hidden = shape
        widths = (n_visible, n_hidden, n_visible, n_visible, n_visible)
        room = [-(-n * width // ALIGNED) * ALIGNED for width in widths]
        self._host = torch.zeros(sum(room), pin_memory=device == "cuda")
        self._device = self._host.to(device)  # itself, where that is the host
        self._results = sum(room[:3])
        ends = np.cumsum(room)
        self.there = [self._device[end - size : end] for end, size in zip(ends, room, strict=True)]
        self.b_v, self.b_h, self.held, self.v, self.means = (
            self._host.numpy()[end - size : end][: n * width].reshape(n, width)
            for end, size, width in zip(ends, room, widths, strict=True)
        )

    def take_there(self) -> None:
        """All of it."""
        self._device.copy_(self._host, non_blocking=True)

    def bring_back(self) -> None:
        """The units and their means, once they are computed."""
        self._host[self._results :].copy_(self._device[self._results :])


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
        self._buffers = Buffers(1, weights.shape, device)

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
        if len(start) != len(self._buffers.v):
            self._buffers = Buffers(len(start), self._w.shape, self._device)
        b = self._buffers
        b.b_v[:], b.b_h[:], b.v[:], b.held[:] = b_v, b_h, start, FREE if held is None else held
        b.take_there()

        def run(steps: int) -> None:
            _gibbs[(triton.cdiv(len(start), self._together),)](
                self._w, *b.there, 1 / temperature, self._seed, self._steps, steps, len(start), *self._w.shape,
                CHAINS=self._together, **self._sizes, num_warps=WARPS,
            )  # fmt: skip
            self._steps = (self._steps + steps) % 2**31
            if self._device == "cuda":
                torch.cuda.synchronize()

        done = in_blocks(run, k, BLOCK, deadline)
        b.bring_back()
        return Sample(b.v.astype(np.uint8), b.means.copy(), done)

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
    w, b_v, b_h, held, v, means, beta, seed, first, steps, n, n_visible, n_hidden,
    CHAINS: tl.constexpr, ROWS: tl.constexpr, TILE: tl.constexpr, TILES: tl.constexpr,
):  # fmt: skip
    """`steps` steps, of which the first is number `first`, of CHAINS of the n chains; arguments as of kernels.gibbs."""
    chain = tl.program_id(0) * CHAINS + tl.arange(0, CHAINS)
    i, j = tl.arange(0, ROWS), tl.arange(0, TILE)
    there = (chain < n)[:, None] & (i < n_visible)[None, :]
    at = chain[:, None] * n_visible + i[None, :]
    on = tl.load(v + at, there, 0.0)
    clamp = tl.load(held + at, there, 0.0)
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
    tl.store(v + at, on, there)
    tl.store(means + at, tl.where(clamp < 0, 1.0 / (1.0 + tl.exp(-beta * pre)), clamp), there)

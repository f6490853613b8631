"""The chain on a CUDA GPU, as a graph of torch's operations: one launch for the seven of a step.

Without a GPU its tests run the same step on the CPU, without a graph.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from improv.sampling.chain import FREE, Bits, Floats, Sample, in_blocks

BLOCK = 32  # steps between two looks at the clock, each of which waits for the GPU


@dataclass(frozen=True)
class Buffers:
    """What a step reads and writes: a graph knows it by its place on the device.

    Attributes:
        w: W / T, [V, H].
        b_v, b_h: biases / T, [N, V] and [N, H].
        v, h: the units, [N, V] and [N, H].
        p_v, p_h: their probabilities.
        free, fixed: where the chain decides, bool [N, V], and the units' values elsewhere.
    """

    w: Tensor
    b_v: Tensor
    b_h: Tensor
    v: Tensor
    h: Tensor
    p_v: Tensor
    p_h: Tensor
    free: Tensor
    fixed: Tensor

    @classmethod
    def of(cls, n: int, shape: tuple[int, ...], device: str) -> "Buffers":
        """Zeros, for N chains whose weights are of `shape`."""
        n_visible, n_hidden = shape
        visible, hidden = [torch.zeros(n, size, device=device) for size in (n_visible, n_hidden)]
        return cls(
            torch.zeros(n_visible, n_hidden, device=device),
            *(
                tensor.clone()
                for tensor in (visible, hidden, visible, hidden, visible, hidden, visible.bool(), visible)
            ),
        )


def step(b: Buffers, generator: torch.Generator) -> None:
    """One Gibbs step, in place."""
    torch.addmm(b.b_h, b.v, b.w, out=b.p_h).sigmoid_()
    b.h.bernoulli_(b.p_h, generator=generator)
    torch.addmm(b.b_v, b.h, b.w.T, out=b.p_v).sigmoid_()
    b.v.bernoulli_(b.p_v, generator=generator)
    torch.where(b.free, b.v, b.fixed, out=b.v)


class GraphChain:
    """Chain by replaying the graph of a step. Anywhere but on CUDA the step's operations are run one by one.

    The graph of one chain is made here, so that the first live frame need not wait for it; another number of chains
    has its own made when it is asked for.
    """

    name = "cuda-graph"

    def __init__(self, weights: Floats, seed: int, device: str = "cuda") -> None:
        self._device = device
        self._w = torch.from_numpy(np.array(weights, np.float32)).to(device)
        self._generator = torch.Generator(device).manual_seed(seed)
        self._before = self._generator.get_state()
        self._graph: torch.cuda.CUDAGraph | None = None
        self._prepare(1)

    @torch.inference_mode()
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
        if len(start) != len(self._buffers.v):
            self._prepare(len(start))
        b = self._buffers
        clamp = torch.from_numpy(np.full(start.shape, FREE, np.int8) if held is None else held).to(self._device)
        b.w.copy_(self._w).div_(temperature)
        b.b_v.copy_(torch.from_numpy(b_v)).div_(temperature)
        b.b_h.copy_(torch.from_numpy(b_h)).div_(temperature)
        b.free.copy_(clamp < 0)
        b.fixed.copy_(clamp.clamp(min=0))
        b.v.copy_(torch.where(b.free, torch.from_numpy(start).to(self._device), b.fixed))
        done = in_blocks(self._run, k, BLOCK, deadline)
        means = torch.where(b.free, b.p_v, b.fixed)
        return Sample(b.v.to("cpu", torch.uint8).numpy(), means.cpu().numpy(), done)

    def rewind(self) -> None:
        """See Chain."""
        self._generator.set_state(self._before)

    def _run(self, steps: int) -> None:
        for _ in range(steps):
            if self._graph is not None:
                self._graph.replay()
            else:
                step(self._buffers, self._generator)
        if self._graph is not None:
            torch.cuda.synchronize()

    @torch.inference_mode()
    def _prepare(self, n: int) -> None:
        """Room for `n` chains, and the graph that works in it."""
        self._buffers = Buffers.of(n, self._w.shape, self._device)
        if self._device != "cuda":
            return
        aside = torch.Generator(self._device)  # what runs now must not use up the numbers of our seed
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):  # libraries are loaded before, as a capture demands
            step(self._buffers, aside)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self._generator)
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):  # other threads may do as they please
            step(self._buffers, self._generator)
        self._graph = graph

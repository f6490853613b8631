"""Who runs the chain: of those that can here, the one that was measured to be the fastest."""

from __future__ import annotations

import importlib.util
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from improv.errors import ImprovError
from improv.sampling.chain import FREE, Chain, Floats, make_chain
from improv.sampling.devices import DEVICES

if TYPE_CHECKING:
    from improv.model.sequence_model import SequenceModel

SECONDS = 0.01  # that each sampler is measured for


@dataclass(frozen=True)
class Choice:
    """The sampler chosen, and why in one line."""

    sampler: str
    why: str


def runnable(device: str = "auto") -> list[str]:
    """The samplers of `device` that this machine can run.

    Raises:
        ImprovError: there is none.
    """
    can = {"cpu", "torch"}
    if any(sampler not in can for sampler in DEVICES[device]):
        import torch

        if torch.cuda.is_available():
            can |= {"cuda-graph", "triton"} if importlib.util.find_spec("triton") else {"cuda-graph"}
    found = [sampler for sampler in DEVICES[device] if sampler in can]
    if not found:
        raise ImprovError("torch finds no CUDA GPU on this machine: play with --device cpu, or auto")
    return found


def choose(model: SequenceModel, k: int, device: str = "auto") -> Choice:
    """The fastest sampler of `device` for one chain of `k` steps of the model's RBM, before anything is heard.

    Raises:
        ImprovError: none can run here.
    """
    found = runnable(device)
    if model.rbm is None:
        return _without_a_chain(device)
    if len(found) == 1:
        return Choice(found[0], f"the {found[0]} chain samples: --device {device}")
    from improv.sampling.cores import TorchMemory

    weights, biases = model.rbm.W.detach().numpy(), TorchMemory(model).biases()
    seconds, failed = dict[str, float](), list[str]()
    for sampler in found:
        try:
            seconds[sampler] = measure(make_chain(weights, 0, sampler), *biases, k)
        except Exception as error:  # a GPU's driver, memory or compiler may fail in any way: the others still play
            failed.append(f"{sampler} fails: {str(error).splitlines()[0] if str(error) else type(error).__name__}")
    if not seconds:
        raise ImprovError("; ".join(failed))
    best, *others = sorted(seconds, key=seconds.__getitem__)
    beside = ", ".join([f"{other} {1000 * seconds[other]:.2f}" for other in others] + failed)
    return Choice(best, f"the {best} chain samples: {1000 * seconds[best]:.2f} ms a frame at k = {k} ({beside})")


def _without_a_chain(device: str) -> Choice:
    """For NADE alone, which no GPU runs."""
    if device == "torch":
        return Choice("torch", "no chain: NADE alone samples, by torch on the CPU")
    return Choice("cpu", "no chain: NADE alone samples, in compiled code on the CPU")


def measure(chain: Chain, b_v: Floats, b_h: Floats, k: int) -> float:
    """Seconds that one chain of `k` steps takes at biases [1, V] and [1, H]: the fastest of as many as there is time
    for, the last perhaps cut short and its time scaled.

    The biases should be a frame's: how many units flip in a step, and so its time, depends on them.
    """
    start, held = np.zeros(b_v.shape, np.uint8), np.full(b_v.shape, FREE, np.int8)
    chain.sample(b_v, b_h, start, 1, 1.0, held)  # what is slow the first time
    ends, fastest = time.perf_counter() + SECONDS, np.inf
    while (begun := time.perf_counter()) < ends:
        steps = chain.sample(b_v, b_h, start, k, 1.0, held, ends).k
        fastest = min(fastest, (time.perf_counter() - begun) * k / steps)
    return float(fastest)

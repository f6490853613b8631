"""Training speed: `python benchmarks/training.py [DATA...] [--json]`, DATA being MIDI files or folders of them.

Frames a second of every way to train the tutorial's RNN-RBM (88 visible, 150 hidden, 100 recurrent, CD-15, subsequences
of 100 frames) on one thread, beside torch as one would first write it. The time is the CPU's, and each figure the
fastest of several rounds that take turns, so that other programs disturb it little. Without DATA it trains on noise.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from improv.model import rbm
from improv.model.config import Config
from improv.model.sequence_model import SequenceModel
from improv.sampling import kernels
from improv.train.compiled import CompiledSgd, negative_samples
from improv.train.corpus import Reading, read_corpus

LENGTH, STEPS, RATE, BATCH, ROUNDS = 100, 15, 0.001, 32, 20
CONFIG = Config(onsets=False, bars=False, normalised=False)
REFERENCE = "torch eager, one subsequence"

Windows = NDArray[np.uint8]  # [BATCH, LENGTH, V]
Train = Callable[[Windows], object]


def eager(model: SequenceModel) -> Train:
    """One subsequence at a time, frame by frame."""
    assert model.rbm is not None
    p, core = model.rbm, model.cores.core
    optimiser = torch.optim.SGD([q for q in model.parameters() if q.requires_grad], lr=RATE)

    def update(v: Tensor) -> None:
        u, b_v, b_h = model.cores.u0[0], [], []
        for frame in v:
            b_v.append(p.b_v + u @ p.W_uv)
            b_h.append(p.b_h + u @ p.W_uh)
            u = torch.tanh(core.weight_ih_l0 @ frame + core.bias_ih_l0 + core.weight_hh_l0 @ u)
        every_b_v, every_b_h, sample = torch.stack(b_v), torch.stack(b_h), v
        with torch.no_grad():
            for _ in range(STEPS):
                h = torch.bernoulli(torch.sigmoid(sample @ p.W + every_b_h))
                sample = torch.bernoulli(torch.sigmoid(h @ p.W.T + every_b_v))
        energies = [rbm.free_energy(frames, p.W, every_b_v, every_b_h) for frames in (v, sample)]
        optimiser.zero_grad()
        (energies[0] - energies[1]).mean().backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    return lambda windows: [update(torch.from_numpy(window).float()) for window in windows]


def minibatch(model: SequenceModel, device: str, compiled_chains: bool) -> Train:
    """All subsequences at once."""
    model.to(device)
    assert model.rbm is not None
    p, rng = model.rbm, kernels.random_state(0)
    optimiser = torch.optim.SGD([q for q in model.parameters() if q.requires_grad], lr=RATE)

    def update(windows: Windows) -> float:
        v = torch.from_numpy(windows).to(device).float()
        past, _ = model.pasts(v)
        b_v, b_h = (bias.flatten(0, 1) for bias in p.biases(past))
        v = v.flatten(0, 1)
        if compiled_chains:
            arrays = (tensor.detach().numpy() for tensor in (p.W, b_v, b_h, v))
            sample = torch.from_numpy(negative_samples(*arrays, STEPS, rng)[0]).float()
        else:
            sample, _ = rbm.gibbs(v, p.W.detach(), b_v.detach(), b_h.detach(), STEPS)
        cost = (rbm.free_energy(v, p.W, b_v, b_h) - rbm.free_energy(sample, p.W, b_v, b_h)).mean()
        optimiser.zero_grad()
        cost.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        return float(cost.detach())

    return update


def compiled(model: SequenceModel) -> Train:
    """One subsequence at a time, in compiled code."""
    sgd = CompiledSgd(model, STEPS)
    return lambda windows: [sgd.update(window, RATE) for window in windows]


def music(data: list[Path]) -> Windows:
    """Subsequences to train on, as many as make a minibatch and more."""
    if not data:
        return (np.random.default_rng(0).random((4 * BATCH, LENGTH, CONFIG.n_visible)) < 0.045).astype(np.uint8)
    rolls = read_corpus(data, Reading(dt=0.3, normalise=False)).splits["train"]
    frames = np.concatenate([roll.sounding for roll in rolls])
    count = max(BATCH, min(20 * BATCH, len(frames) // LENGTH))
    return np.resize(frames, (count, LENGTH, CONFIG.n_visible)).astype(np.uint8)


def measure(windows: Windows) -> list[dict[str, object]]:
    """Frames a second of every path, from models that have all learned the same for a while."""
    torch.manual_seed(0)
    learned = SequenceModel(CONFIG)
    compiled(learned)(windows)

    def model() -> SequenceModel:
        fresh = SequenceModel(CONFIG)
        fresh.load_state_dict(learned.state_dict())
        return fresh

    paths = {
        REFERENCE: (1, eager(model())),
        f"torch, minibatches of {BATCH}": (BATCH, minibatch(model(), "cpu", compiled_chains=False)),
        f"torch, minibatches of {BATCH}, compiled chains": (BATCH, minibatch(model(), "cpu", compiled_chains=True)),
        "compiled, one subsequence": (4, compiled(model())),
    }
    if torch.cuda.is_available():
        paths[f"CUDA, minibatches of {BATCH}"] = (BATCH, minibatch(model(), "cuda", compiled_chains=False))
    seconds = dict.fromkeys(paths, np.inf)
    for _ in range(ROUNDS):
        for name, (count, path) in paths.items():
            clock = time.perf_counter if name.startswith("CUDA") else time.process_time
            started = clock()
            path(windows[:count])
            seconds[name] = min(seconds[name], (clock() - started) / (count * LENGTH))
    return [
        {"name": name, "value": round(1 / each), "unit": "frames/s", "reference": round(1 / seconds[REFERENCE]),
         "ratio": round(seconds[REFERENCE] / each, 1)} for name, each in seconds.items()
    ]  # fmt: skip


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="*")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    load = os.getloadavg()[0]
    results = measure(music(args.data))
    if args.json:
        print(json.dumps({"results": results, "load": round(load, 2)}))
        return 0
    for result in results:
        print(f"{result['name']:45} {result['value']:8} frames/s   x {result['ratio']}")
    print(f"load of the machine before: {load:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

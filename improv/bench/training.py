"""Training speed: frames a second of every way to train the tutorial's RNN-RBM, beside torch as first written.

88 visible, 150 hidden, 100 recurrent, CD-15, subsequences of 100 frames, one thread. The time is the CPU's, and each
figure the fastest of several rounds that take turns, so that other programs disturb it little. It trains on the demo
tune.
"""

import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from improv.bench.result import Result
from improv.model import rbm
from improv.model.config import Config
from improv.model.sequence_model import SequenceModel
from improv.music.midifile import read_score
from improv.music.score import to_roll
from improv.resources import asset
from improv.sampling import kernels
from improv.train.compiled import CompiledSgd, negative_samples

LENGTH, STEPS, RATE, BATCH, ROUNDS = 100, 15, 0.001, 32, 20
LESSONS = 10  # times through the music before anything is measured: untrained units flip more often
CONFIG = Config(onsets=False, bars=False, normalised=False)
REFERENCE = "torch eager, one subsequence"

Windows = NDArray[np.uint8]  # [BATCH, LENGTH, V]
Train = Callable[[Windows], object]


def eager(model: SequenceModel) -> Train:
    """One subsequence at a time, frame by frame."""
    assert isinstance(model.rbm, rbm.ConditionalRbm)
    p, core = model.rbm, dict(model.cores.core.named_parameters())
    optimiser = torch.optim.SGD([q for q in model.parameters() if q.requires_grad], lr=RATE)

    def update(v: Tensor) -> None:
        u, b_v, b_h = model.cores.u0[0], [], []
        for frame in v:
            b_v.append(p.b_v + u @ p.W_uv)
            b_h.append(p.b_h + u @ p.W_uh)
            u = torch.tanh(core["weight_ih_l0"] @ frame + core["bias_ih_l0"] + core["weight_hh_l0"] @ u)
        every_b_v, every_b_h, sample = torch.stack(b_v), torch.stack(b_h), v
        with torch.no_grad():
            for _ in range(STEPS):
                h = torch.bernoulli(torch.sigmoid(sample @ p.W + every_b_h))
                sample = torch.bernoulli(torch.sigmoid(h @ p.W.T + every_b_v))
        energies = [rbm.free_energy(frames, p.W, every_b_v, every_b_h) for frames in (v, sample)]
        optimiser.zero_grad()
        (energies[0] - energies[1]).mean().backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    def updates(windows: Windows) -> None:
        for window in windows:
            update(torch.from_numpy(window).float())

    return updates


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
            w, visible, hidden, data = (tensor.detach().numpy() for tensor in (p.W, b_v, b_h, v))
            sample = torch.from_numpy(negative_samples(w, visible, hidden, data, STEPS, rng)[0]).float()
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


def music() -> Windows:
    """Subsequences of the demo tune to train on, as many as make a minibatch."""
    frames = to_roll(read_score(asset("demo.mid")), CONFIG.grid).sounding
    starts = np.linspace(0, len(frames) - LENGTH, BATCH).astype(int)
    return np.stack([frames[start : start + LENGTH] for start in starts]).astype(np.uint8)


def training(rounds: int = ROUNDS) -> Iterator[Result]:
    """Frames a second of every path, from models that have all learned the same for a while."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    windows = music()
    learned = SequenceModel(CONFIG)
    teach = compiled(learned)
    for _ in range(LESSONS):
        teach(windows)

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
    for _ in range(rounds):
        for name, (count, path) in paths.items():
            clock = time.perf_counter if name.startswith("CUDA") else time.process_time
            started = clock()
            path(windows[:count])
            seconds[name] = min(seconds[name], (clock() - started) / (count * LENGTH))
    slowest = seconds.pop(REFERENCE)
    for name, each in seconds.items():
        yield Result(f"training, {name}", 1 / each, "frames/s", 1 / slowest, REFERENCE)

"""Training speed: frames a second of the ways in which improv trains, beside torch as first written.

The reference and the RBMs are the tutorial's: 88 visible, 150 hidden, 100 recurrent, CD-15, subsequences of 100 frames.
One thread; the time is the CPU's, a GPU's the wall's, and each figure the fastest of several rounds that take turns, so
that other programs disturb it little. All train on the demo tune.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import count

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
from improv.train.batches import Batches
from improv.train.distributed import ALONE
from improv.train.learner import Learner
from improv.train.presets import PRESETS
from improv.train.recipe import Recipe

TUTORIAL = PRESETS["tutorial"]
CONFIG = Config(**TUTORIAL.model, normalised=False)
LENGTH, STEPS, RATE = TUTORIAL.recipe.length, TUTORIAL.recipe.cd_steps, TUTORIAL.recipe.learning_rate
BATCH, ROUNDS = 32, 20
COPIES = 7  # of the demo tune's 528 frames: more than a minibatch has
LESSONS = 10  # times through the music before anything is measured: untrained units flip more often
REFERENCE = "torch eager, one subsequence"
NADE = "NADE with a tied core, minibatches of 16 (preset jsb)"

Windows = NDArray[np.uint8]  # [n, LENGTH, V]
Train = Callable[[Windows], object]
Weights = dict[str, Tensor]


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


class Ours:
    """A training as `improv train` runs it, its learner and its batches, of the demo tune some times over."""

    def __init__(self, config: Config, recipe: Recipe, device: str = "cpu", weights: Weights | None = None) -> None:
        self.model, self.device = SequenceModel(config), torch.device(device)
        if weights is not None:
            self.model.load_state_dict(weights)
        self.model.to(self.device).train()
        pieces = [to_roll(read_score(asset("demo.mid")), config.grid)] * COPIES
        self.learner, self.batches = Learner(self.model, recipe, ALONE), Batches(self.model, pieces, seed=0)
        self._epochs = count(1)

    def update(self, n: int | None = None) -> int:
        """The first `n` updates of the next epoch, or all; returns how many frames these were."""
        epoch, frames, recipe = next(self._epochs), 0, self.learner.phase.recipe
        for windows in self.batches.epoch(epoch, recipe)[:n]:
            length = sum(window.end - window.start for window in windows)
            self.learner.update(self.batches.make(epoch, windows, recipe).to(self.device), length, 0.0)
            frames += length
        return frames


def music() -> Windows:
    """The demo tune's first subsequence, for the reference to train on."""
    frames = to_roll(read_score(asset("demo.mid")), CONFIG.grid).sounding
    return frames[:LENGTH].astype(np.uint8)[np.newaxis]


def training(rounds: int = ROUNDS) -> Iterator[Result]:
    """Frames a second of every path; the RBMs have all learned the same for a while."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    school = Ours(CONFIG, TUTORIAL.recipe)
    for _ in range(LESSONS):
        school.update()
    first = SequenceModel(CONFIG)
    first.load_state_dict(school.model.state_dict())
    teach, windows = eager(first), music()

    def reference() -> int:
        teach(windows)
        return LENGTH

    paths = _ours(school.model.state_dict())
    fastest = dict.fromkeys([REFERENCE, *paths], 0.0)
    for _ in range(rounds):
        fastest[REFERENCE] = max(fastest[REFERENCE], _rate(reference, time.process_time))
        for name, path in paths.items():
            clock = time.perf_counter if name.startswith("CUDA") else time.process_time
            fastest[name] = max(fastest[name], _rate(path, clock))
    for name in paths:
        yield Result(f"training, {name}", fastest[name], "frames/s", fastest[REFERENCE], REFERENCE)


def _ours(weights: Weights) -> dict[str, Callable[[], int]]:
    """Every way to train; each makes some updates and returns how many frames these were."""
    minibatches, nade = replace(TUTORIAL.recipe, batch=BATCH), PRESETS["jsb"]
    one, many = Ours(CONFIG, TUTORIAL.recipe, weights=weights), Ours(CONFIG, minibatches, weights=weights)
    paths: dict[str, Callable[[], int]] = {
        "compiled, one subsequence": partial(one.update, 16),
        f"torch, minibatches of {BATCH}, compiled chains": partial(many.update, 1),
        NADE: partial(Ours(Config(**nade.model), nade.recipe).update, 1),
    }
    if torch.cuda.is_available():
        paths[f"CUDA, minibatches of {BATCH}"] = partial(Ours(CONFIG, minibatches, "cuda", weights).update, 1)
        paths[f"CUDA, {NADE}"] = partial(Ours(Config(**nade.model), nade.recipe, "cuda").update, 1)
    return paths


def _rate(path: Callable[[], int], clock: Callable[[], float]) -> float:
    """Frames a second."""
    started = clock()
    frames = path()
    return frames / (clock() - started)

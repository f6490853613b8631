"""Which device trains a model the fastest here: measured, for a GPU that is there need not be the faster one.

One subsequence at a time, as in the tutorial, compiled code on the CPU outruns any GPU; minibatches of a large model
are the GPU's.
"""

import time
from collections.abc import Sequence

import torch

from improv.model.config import Config
from improv.model.sequence_model import SequenceModel
from improv.music.pianoroll import PianoRoll
from improv.train.batches import Batches
from improv.train.distributed import World
from improv.train.learner import Learner
from improv.train.recipe import Recipe

FIRST, UPDATES = 2, 5  # updates until a path is warm, and those that are timed


def choose_device(
    devices: Sequence[str], config: Config, recipe: Recipe, pieces: list[PianoRoll], world: World
) -> tuple[str, str]:
    """The device of `devices`, which end with the one most fit for large work, and in one line why that; empty where
    there is no choice. Processes that share a training have no time to try: theirs is the last one."""
    if len(devices) == 1 or world.size > 1:
        return devices[-1], ""
    rates = {device: frames_per_second(device, config, recipe, pieces) for device in devices}
    best = max(rates, key=lambda device: rates[device])
    others = ", ".join(f"{device} {rate:,.0f}" for device, rate in rates.items() if device != best)
    return best, f"{best} trains: {rates[best]:,.0f} frames/s ({others})"


def frames_per_second(device: str, config: Config, recipe: Recipe, pieces: list[PianoRoll]) -> float:
    """How fast the first updates of a training are; nothing of them is kept."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = SequenceModel(config).to(device)
    learner, batches = Learner(model.train(), recipe, World()), Batches(model, pieces, 0)
    recipe, frames, started = learner.phase.recipe, 0, 0.0
    for done, windows in enumerate(batches.epoch(1, recipe)[: FIRST + UPDATES]):
        if done in (0, FIRST):
            frames, started = 0, time.perf_counter()
        length = sum(window.end - window.start for window in windows)
        batch = batches.make(1, windows, recipe).to(torch.device(device))
        learner.update(batch, length, 0.0)  # which waits for the monitor
        frames += length
    return frames / (time.perf_counter() - started)

"""What the thinker thinks with: does jobs, one after another, wherever it is called."""

from __future__ import annotations

import gc
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from improv.errors import ImprovError
from improv.live.jobs import Answer, Begin, Failed, Follow, Job, Load, Loaded, Quicken, Result, Sampler, Think
from improv.live.priority import ordinary
from improv.music.key import Key

if TYPE_CHECKING:
    from improv.live.improviser import Improviser
    from improv.model.sequence_model import SequenceModel

HANDING_OVER = 0.003  # seconds from the end of a chain to the tick its notes are played at
SHORTEST = 0.004  # seconds a chain is given where its tick has come


@dataclass
class Mind:
    """Owns the improviser.

    Args:
        compile_aside: told of a model for which something must be compiled, which can take half a minute; until a
            Quicken follows, torch plays. Without it that is waited for.
        timed: whether the ticks it is told are moments of time.perf_counter, so that no chain may outlast them.
    """

    compile_aside: Callable[[Load, SequenceModel], None] | None = None
    timed: bool = False
    key: Key | None = None
    improviser: Improviser | None = None
    loaded: Loaded | None = None
    _load_job: Load | None = None  # which has brought the improviser

    def do(self, job: Job) -> Result | None:
        """The result of `job`; never raises."""
        try:
            match job:
                case Load():
                    with ordinary(), _uncollected():
                        return self._load(job)
                case Quicken():
                    return self._quicken(job)
                case Follow(key):
                    self.key = key
                    if self.improviser is not None:
                        self.improviser.follow(key)
                case Begin(number, bar_beats):
                    if self.improviser is not None:
                        self.improviser.forget(number, bar_beats)
                case Think():
                    return self._think(job)
        except ImprovError as error:
            return Failed(str(error), job)
        except Exception as error:  # the music must go on, whatever a model does
            return Failed(f"the partner could not play: {error or type(error).__name__}", job)
        return None

    def _load(self, job: Load) -> Loaded:
        from pathlib import Path

        import torch

        from improv.live.improviser import Improviser
        from improv.model import checkpoint
        from improv.sampling.calibration import Choice, choose

        torch.set_num_threads(1)  # more threads make one small chain slower, and steal the loop's core
        model, _ = checkpoint.load(Path(job.path))
        if self.compile_aside is not None and _must_wait(job, model):
            self.compile_aside(job, model)
            now = "the torch chain samples" if model.rbm is not None else "no chain: NADE alone samples, by torch"
            choice = Choice("torch", f"{now} until what is faster is compiled, which is done once")
        else:
            choice = choose(model, job.k, job.device)
        improviser = Improviser(model, job.seed, choice.sampler, self.key)
        improviser.warm_up()
        config = model.config
        loaded = Loaded(job.path, config.grid, config.low, config.n_pitches, choice.sampler, choice.why)
        if self.improviser is not None and self.loaded is not None and loaded.has_frames_of(self.loaded):
            improviser.remember(self.improviser)
        self.improviser, self.loaded, self._load_job = improviser, loaded, job
        return loaded

    def _quicken(self, job: Quicken) -> Sampler | None:
        if self.improviser is None or self._load_job is not job.load:
            return None  # a model has been loaded since
        self.improviser.change_sampler(job.choice.sampler)
        gc.freeze()
        return Sampler(job.choice.sampler, job.choice.why)

    def _think(self, job: Think) -> Answer | None:
        started = time.perf_counter()
        deadline = max(job.tick - HANDING_OVER, started + SHORTEST) if self.timed else math.inf
        assert self.improviser is not None, "a frame was asked for before a model was loaded"
        if job.player.shape[-1] != self.improviser.config.n_pitches:
            return None  # it was asked of the model before this one, by a performance that ends with it
        self.improviser.number = job.number - len(job.heard)  # frames may have been lost in a stall
        for player, partner in job.heard:
            self.improviser.hear(player, partner)
        frame = self.improviser.answer(job.player, job.turn, job.controls, job.struck, deadline)
        seconds, key = time.perf_counter() - started, self.improviser.key
        return Answer(
            job.performance, job.number, frame, seconds, key.name if key is not None else "", self.improviser.steps
        )


@contextmanager
def _uncollected() -> Iterator[None]:
    """What comes into being here is hardly garbage. To look for some, time and again while torch comes, takes a fifth
    of the time until the first frame; and once would stop the loop for a third of a second when it plays."""
    comes = "torch" not in sys.modules and gc.isenabled()
    if comes:
        gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if comes:
            gc.enable()


def _must_wait(job: Load, model: SequenceModel) -> bool:
    """Whether something has to be compiled before the fastest can play, or may have to be, for a GPU's chain."""
    from improv.live.improviser import Improviser
    from improv.sampling.calibration import runnable
    from improv.sampling.compiled import cached

    samplers = runnable(job.device)
    if samplers == ["torch"]:
        return False
    by_a_gpu = model.rbm is not None and bool(set(samplers) - {"cpu", "torch"})
    return by_a_gpu or not cached(lambda: Improviser(model, 0).warm_up())

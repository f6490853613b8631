"""Where the improviser thinks: a thread beside the loop, so that no computation can delay a tick.

The loop hands over jobs and finds the results in its inbox; jobs run one after another in the order they came.
"""

from __future__ import annotations

import gc
import math
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from improv.errors import ImprovError
from improv.knobs import Controls
from improv.live import warm_up
from improv.live.clock import Inbox
from improv.live.messages import Problem
from improv.live.modes import Turn
from improv.live.priority import ordinary
from improv.music.key import Key
from improv.music.pianoroll import Frame

if TYPE_CHECKING:
    from improv.live.improviser import Improviser
    from improv.model.sequence_model import SequenceModel
    from improv.sampling.calibration import Choice

HANDING_OVER = 0.003  # seconds from the end of a chain to the tick its notes are played at
SHORTEST = 0.004  # seconds a chain is given where its tick has come


@dataclass(frozen=True)
class Load:
    """Load the checkpoint `path`; the partner's choices follow from `seed`.

    `device` says who may run the chain, one of improv.sampling.calibration.DEVICES, and `k` for how many steps.
    """

    path: str
    seed: int
    k: int
    device: str = "auto"


@dataclass(frozen=True)
class Quicken:
    """All that the model from `path` needs is compiled: let `choice` run its chain."""

    path: str
    choice: Choice


@dataclass(frozen=True)
class Follow:
    """Play in `key` from now on, or follow what is heard where None."""

    key: Key | None


@dataclass(frozen=True)
class Think:
    """Hear the frames that are over (player, partner), then answer frame `number` of performance `performance`.

    `tick` is the moment at which the answer is played, and `struck` what the partner has struck in that frame already,
    if it has begun, [2, n_pitches].
    """

    performance: int
    number: int
    heard: list[tuple[Frame, Frame]]
    player: Frame
    turn: Turn
    controls: Controls
    tick: float
    struck: Frame | None = None


@dataclass(frozen=True)
class Begin:
    """Forget what was played: the next frame is `number`, a bar has `bar_beats` beats."""

    number: int
    bar_beats: float


@dataclass(frozen=True)
class Loaded:
    """The model from `path` is ready: its grid and its pitches, who runs its chain, and, in one line,
    why that was `chosen`."""

    path: str
    grid: float
    low: int
    n_pitches: int
    sampler: str
    chosen: str

    def has_frames_of(self, other: Loaded) -> bool:
        """Whether its frames are like those of `other`: as long, and of the same pitches."""
        return (self.grid, self.low, self.n_pitches) == (other.grid, other.low, other.n_pitches)


@dataclass(frozen=True)
class Sampler:
    """From now on `sampler` runs the chain; in one line, why that was `chosen`."""

    sampler: str
    chosen: str


@dataclass(frozen=True)
class Answer:
    """The partner's frame, how long it took, the key it was played in, and the Gibbs steps it came from."""

    performance: int
    number: int
    frame: Frame
    seconds: float
    key: str
    steps: int


@dataclass(frozen=True)
class Failed:
    """A job could not be done; `text` says why in one line. `job` is what was asked."""

    text: str
    job: Any


Job = Load | Quicken | Follow | Begin | Think


class Asking(Protocol):
    """A thinker, as the loop sees it."""

    def ask(self, job: Job) -> None:
        """Queues `job`; never blocks."""


@dataclass
class Mind:
    """Does the jobs: owns the improviser. Runs wherever it is called.

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

    def do(self, job: Job) -> Loaded | Sampler | Answer | Failed | None:
        """The result of `job`; never raises."""
        try:
            match job:
                case Load():
                    with ordinary():
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
        if self.compile_aside is not None and self._must_wait(job, model):
            self.compile_aside(job, model)
            choice = Choice("torch", "the torch chain samples until a faster one is compiled, which is done once")
        else:
            choice = choose(model, job.k, job.device)
        improviser = Improviser(model, job.seed, choice.sampler, self.key)
        improviser.warm_up()
        config = model.config
        loaded = Loaded(job.path, config.grid, config.low, config.n_pitches, choice.sampler, choice.why)
        if self.improviser is not None and self.loaded is not None and loaded.has_frames_of(self.loaded):
            improviser.remember(self.improviser)
        self.improviser, self.loaded = improviser, loaded
        gc.freeze()  # to look through all of torch for garbage would stop the loop for a third of a second
        return loaded

    def _must_wait(self, job: Load, model: SequenceModel) -> bool:
        """Whether something has to be compiled before the fastest can play, or may have to be, for a GPU."""
        from improv.live.improviser import Improviser
        from improv.sampling.calibration import runnable
        from improv.sampling.compiled import cached

        samplers = runnable(job.device)
        if samplers == ["torch"]:
            return False
        return bool(set(samplers) - {"cpu", "torch"}) or not cached(Improviser(model, 0).warm_up)

    def _quicken(self, job: Quicken) -> Sampler | None:
        if self.improviser is None or self.loaded is None or self.loaded.path != job.path:
            return None  # another model has been loaded since
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


class Thinker:
    """A mind in a thread. Results go into `inbox`."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._mind = Mind(self._compile_aside, timed=True)
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="thinker", daemon=True)
        self._thread.start()

    def ask(self, job: Job) -> None:
        """Queues `job`; never blocks."""
        self._jobs.put(job)

    def _run(self) -> None:
        while True:
            result = self._mind.do(self._jobs.get())
            if result is not None:
                self._inbox.put(result)

    def _compile_aside(self, load: Load, model: SequenceModel) -> None:
        threading.Thread(target=self._compile, args=(load, model), name="compiling", daemon=True).start()

    def _compile(self, load: Load, model: SequenceModel) -> None:
        """Fills the cache of compiled code from another process, which cannot keep the loop waiting, and loads it."""
        from improv.live.improviser import Improviser
        from improv.sampling.calibration import choose

        try:
            warm_up.in_another_process(load.path)
            Improviser(model, load.seed).warm_up()
            self.ask(Quicken(load.path, choose(model, load.k, load.device)))
        except Exception as error:  # the music goes on
            self._inbox.put(Problem(f"the torch chain goes on, for no faster one could be made ready: {error}"))


class InlineThinker:
    """A mind that answers at once, for a virtual clock."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._mind = Mind()

    def ask(self, job: Job) -> None:
        """Does `job` now."""
        result = self._mind.do(job)
        if result is not None:
            self._inbox.put(result)

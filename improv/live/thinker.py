"""Where the improviser thinks: a thread beside the loop, so that no computation can delay a tick.

The loop hands over jobs and finds the results in its inbox; jobs run one after another in the order they came.
"""

from __future__ import annotations

import gc
import queue
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from improv.errors import ImprovError
from improv.knobs import Controls
from improv.live.clock import Inbox
from improv.live.modes import Turn
from improv.live.priority import ordinary
from improv.music.key import Key
from improv.music.pianoroll import Frame

if TYPE_CHECKING:
    from improv.live.improviser import Improviser


@dataclass(frozen=True)
class Load:
    """Load the checkpoint `path`; the partner's choices follow from `seed`."""

    path: str
    seed: int


@dataclass(frozen=True)
class Follow:
    """Play in `key` from now on, or follow what is heard where None."""

    key: Key | None


@dataclass(frozen=True)
class Think:
    """Hear the frames that are over (player, partner), then answer frame `number` of performance `performance`.

    `struck` is what the partner has struck in that frame already, if it has begun, [2, n_pitches].
    """

    performance: int
    number: int
    heard: list[tuple[Frame, Frame]]
    player: Frame
    turn: Turn
    controls: Controls
    struck: Frame | None = None


@dataclass(frozen=True)
class Begin:
    """Forget what was played: the next frame is `number`, a bar has `bar_beats` beats."""

    number: int
    bar_beats: float


@dataclass(frozen=True)
class Loaded:
    """The model from `path` is ready: its grid and its pitches."""

    path: str
    grid: float
    low: int
    n_pitches: int
    sampler: str

    def has_frames_of(self, other: Loaded) -> bool:
        """Whether its frames are like those of `other`: as long, and of the same pitches."""
        return (self.grid, self.low, self.n_pitches) == (other.grid, other.low, other.n_pitches)


@dataclass(frozen=True)
class Answer:
    """The partner's frame, how long it took, and the key it was played in."""

    performance: int
    number: int
    frame: Frame
    seconds: float
    key: str


@dataclass(frozen=True)
class Failed:
    """A job could not be done; `text` says why in one line. `job` is what was asked."""

    text: str
    job: Any


Job = Load | Follow | Begin | Think


class Asking(Protocol):
    """A thinker, as the loop sees it."""

    def ask(self, job: Job) -> None:
        """Queues `job`; never blocks."""


@dataclass
class Mind:
    """Does the jobs: owns the improviser. Runs wherever it is called."""

    key: Key | None = None
    improviser: Improviser | None = None
    loaded: Loaded | None = None

    def do(self, job: Job) -> Loaded | Answer | Failed | None:
        """The result of `job`; never raises."""
        try:
            match job:
                case Load():
                    with ordinary():
                        return self._load(job)
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

        torch.set_num_threads(1)  # more threads make one small chain slower, and steal the loop's core
        model, _ = checkpoint.load(Path(job.path))
        improviser = Improviser(model, job.seed, key=self.key)
        improviser.warm_up()
        config = model.config
        loaded = Loaded(job.path, config.grid, config.low, config.n_pitches, improviser.sampler)
        if self.improviser is not None and self.loaded is not None and loaded.has_frames_of(self.loaded):
            improviser.remember(self.improviser)
        self.improviser, self.loaded = improviser, loaded
        gc.freeze()  # to look through all of torch for garbage would stop the loop for a third of a second
        return loaded

    def _think(self, job: Think) -> Answer | None:
        started = time.perf_counter()
        assert self.improviser is not None, "a frame was asked for before a model was loaded"
        if job.player.shape[-1] != self.improviser.config.n_pitches:
            return None  # it was asked of the model before this one, by a performance that ends with it
        self.improviser.number = job.number - len(job.heard)  # frames may have been lost in a stall
        for player, partner in job.heard:
            self.improviser.hear(player, partner)
        frame = self.improviser.answer(job.player, job.turn, job.controls, job.struck)
        key = self.improviser.key
        return Answer(
            job.performance, job.number, frame, time.perf_counter() - started, key.name if key is not None else ""
        )


class Thinker:
    """A mind in a thread. Results go into `inbox`."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="thinker", daemon=True)
        self._thread.start()

    def ask(self, job: Job) -> None:
        """Queues `job`; never blocks."""
        self._jobs.put(job)

    def _run(self) -> None:
        mind = Mind()
        while True:
            result = mind.do(self._jobs.get())
            if result is not None:
                self._inbox.put(result)


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

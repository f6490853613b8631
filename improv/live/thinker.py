"""Where the improviser thinks: a thread beside the loop, so that no computation can delay a tick.

The loop hands over jobs and finds the results in its inbox; jobs run one after another in the order they came.
"""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Protocol

from improv.live import warm_up
from improv.live.clock import Inbox
from improv.live.jobs import Job, Load, Quicken
from improv.live.messages import Problem
from improv.live.mind import Mind

if TYPE_CHECKING:
    from improv.model.sequence_model import SequenceModel


class Asking(Protocol):
    """A thinker, as the loop sees it."""

    def ask(self, job: Job) -> None:
        """Queues `job`; never blocks."""


class Thinker:
    """A mind in a thread. Results go into `inbox`."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._mind = Mind(self._compile_aside, timed=True)
        self._compiling = threading.Lock()
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
        """Fills the cache of compiled code from another process, which cannot keep the loop waiting, and loads it.

        One at a time: two such processes would take the loop's processors.
        """
        from improv.live.improviser import Improviser
        from improv.sampling.calibration import choose

        try:
            with self._compiling:
                warm_up.in_another_process(load.path)
                Improviser(model, load.seed).warm_up()
                self.ask(Quicken(load, choose(model, load.k, load.device)))
        except Exception as error:  # the music goes on
            self._inbox.put(Problem(f"torch goes on sampling, for nothing faster could be made ready: {error}"))


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

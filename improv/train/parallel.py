"""Work shared out among processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

from improv.errors import ImprovError

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 4  # items for each process that are handed out before their results are taken


def cpus() -> int:
    """Number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def each(function: Callable[[Item], Result], items: Iterable[Item], processes: int) -> Iterator[tuple[Item, Result]]:
    """`function` of every item, computed in so many processes, in the order in which they are done.

    The processes end when the iterator is closed, at once; and when this process dies, however it does.

    Raises:
        ImprovError: a process was killed.
    """
    todo = iter(items)
    waiting: dict[Future[Result], Item] = {}
    with _pool(processes) as pool:
        while True:
            with _interrupts_later():
                for item in islice(todo, AHEAD * processes - len(waiting)):
                    waiting[pool.submit(function, item)] = item
            if not waiting:
                return
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                try:
                    yield waiting.pop(future), future.result()
                except BrokenProcessPool as error:
                    raise ImprovError("a process was killed, perhaps for want of memory: try again") from error


@contextmanager
def _pool(processes: int) -> Iterator[ProcessPoolExecutor]:
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _prepare)
    try:
        yield pool
        pool.shutdown()
    finally:
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        pool.shutdown(cancel_futures=True)


def _prepare() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches the parent too, which then ends this process
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


@contextmanager
def _interrupts_later() -> Iterator[None]:
    """Holds Ctrl+C back, from the processes started meanwhile for good: one that is just starting would print a
    traceback."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

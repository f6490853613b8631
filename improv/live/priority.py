"""The engine's place among all that wants a processor: first, where the system permits it.

Not the loop alone: while another thread has the interpreter's lock the loop must wait for it, and if that thread were
an ordinary one, the two would wait together for every busy program on the machine.
"""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

LOOP, BESIDE = 2, 1  # the loop, and all else in its process: above ordinary threads, below the sound card's


def ask_for_realtime(priority: int) -> bool:
    """Puts the calling thread, and those it starts from now on, before all ordinary ones; whether that was permitted.

    Linux permits it to root and to users with an rtprio limit; elsewhere nothing is asked.
    """
    if sys.platform != "linux":
        return False
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    except OSError:
        return False
    return True


def step_back() -> None:
    """Lets the loop go before the calling thread, which it has started."""
    if _is_realtime():
        ask_for_realtime(BESIDE)


@contextmanager
def ordinary() -> Iterator[None]:
    """Meanwhile the calling thread, and what it starts, is an ordinary one.

    For work of seconds: what runs before all others for so long is held back by the system, and the loop with it.
    """
    if not _is_realtime():
        yield
        return
    before = os.sched_getparam(0)
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    try:
        yield
    finally:
        ask_for_realtime(before.sched_priority)


def realtime_is_permitted() -> bool:
    """Whether `ask_for_realtime` would be granted; nothing is changed."""
    answers: list[bool] = []
    asking = threading.Thread(target=lambda: answers.append(ask_for_realtime(BESIDE)))
    asking.start()
    asking.join()
    return answers[0]


def _is_realtime() -> bool:
    return sys.platform == "linux" and os.sched_getscheduler(0) == os.SCHED_FIFO

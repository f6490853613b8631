"""The loop's place among all that wants a processor: first, where the system permits it."""

import os
import sys

PRIORITY = 2  # above every ordinary thread, below the sound card's


def ask_for_realtime() -> bool:
    """Puts the calling thread, but none that it starts, before all ordinary ones; whether that was permitted.

    Linux permits it to root and to users with an rtprio limit; elsewhere nothing is asked.
    """
    if sys.platform != "linux":
        return False
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(PRIORITY))
    except OSError:
        return False
    return True

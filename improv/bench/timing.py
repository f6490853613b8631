"""Fair timing on a machine that does other things too."""

import time
from collections.abc import Callable, Mapping

import numpy as np

ROUND_SECONDS = 0.02


def in_turns(
    tasks: Mapping[str, Callable[[], object]], rounds: int, seconds: float = ROUND_SECONDS, percent: float = 50
) -> dict[str, float]:
    """Seconds that each task takes: it is repeated for `seconds`, the tasks taking turns; of each turn that percentile
    counts, and of all turns the least, so that what else the machine does disturbs little, and all alike."""
    least = dict.fromkeys(tasks, float("inf"))
    for task in tasks.values():
        task()  # what is slow the first time
    for _ in range(rounds):
        for name, task in tasks.items():
            least[name] = min(least[name], float(np.percentile(durations(task, seconds), percent)))
    return least


def durations(task: Callable[[], object], seconds: float) -> list[float]:
    """Seconds of every repetition of `task`, for about so long in all, and three times at least."""
    taken: list[float] = []
    ends = time.perf_counter() + seconds
    while len(taken) < 3 or time.perf_counter() < ends:
        begun = time.perf_counter()
        task()
        taken.append(time.perf_counter() - begun)
    return taken

"""Fair timing on a machine that does other things too."""

import time
from collections.abc import Callable, Mapping

import numpy as np

ROUND_SECONDS = 0.02


def in_turns(
    tasks: Mapping[str, Callable[[], object]], rounds: int, seconds: float = ROUND_SECONDS
) -> dict[str, float]:
    """Seconds that each task takes: of each turn the median counts, and of all turns the least, so that what else the
    machine does disturbs little, and all alike."""
    taken = _turns(tasks, rounds, seconds)
    return {name: min(float(np.median(turn)) for turn in turns) for name, turns in taken.items()}


def percentile_in_turns(
    tasks: Mapping[str, Callable[[], object]], rounds: int, seconds: float, percent: float
) -> dict[str, float]:
    """That percentile of the seconds that each task takes, over every repetition in every turn."""
    taken = _turns(tasks, rounds, seconds)
    return {name: float(np.percentile(np.concatenate(turns), percent)) for name, turns in taken.items()}


def _turns(tasks: Mapping[str, Callable[[], object]], rounds: int, seconds: float) -> dict[str, list[list[float]]]:
    """Durations of each task, turn by turn: it is repeated for `seconds`, the tasks taking turns."""
    taken: dict[str, list[list[float]]] = {name: [] for name in tasks}
    for task in tasks.values():
        task()  # what is slow the first time
    for _ in range(rounds):
        for name, task in tasks.items():
            taken[name].append(durations(task, seconds))
    return taken


def durations(task: Callable[[], object], seconds: float) -> list[float]:
    """Seconds of every repetition of `task`, for about so long in all, and three times at least."""
    taken: list[float] = []
    ends = time.perf_counter() + seconds
    while len(taken) < 3 or time.perf_counter() < ends:
        begun = time.perf_counter()
        task()
        taken.append(time.perf_counter() - begun)
    return taken

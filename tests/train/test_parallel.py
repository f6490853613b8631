import os
import signal
from contextlib import closing

import pytest

from improv.errors import ImprovError
from improv.train.parallel import each


def half(number: int) -> float:
    """Dies of 13, raises for 7."""
    if number == 13:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 7:
        raise ValueError("seven")
    return number / 2


def test_every_item_meets_its_result() -> None:
    numbers = [number for number in range(100) if number not in (7, 13)]
    assert sorted(each(half, iter(numbers), 2)) == [(number, number / 2) for number in numbers]
    assert list(each(half, [], 2)) == []


def test_an_error_in_a_process_comes_out_here() -> None:
    with pytest.raises(ValueError, match="seven"):
        list(each(half, range(13), 2))


def test_a_killed_process_is_told_instead_of_waited_for() -> None:
    with pytest.raises(ImprovError, match="a process was killed"):
        list(each(half, [13, *range(6)], 2))


def test_items_are_taken_only_as_results_are() -> None:
    taken = []
    with closing(each(half, (taken.append(number) or number for number in range(20, 1000)), 2)) as results:  # type: ignore[func-returns-value]
        next(results)
        assert len(taken) <= 8

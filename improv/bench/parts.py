"""Measurements of which one that fails does not keep the others from being made."""

import sys
from collections.abc import Callable, Iterator, Mapping

from improv.bench.result import Result
from improv.errors import ImprovError


def all_parts(parts: Mapping[str, Callable[[], Iterator[Result]]]) -> Iterator[Result]:
    """What each part yields, by its name; one that fails is told in a line on standard error, and the next is begun.

    Raises:
        ImprovError: in the end, where any has failed.
    """
    failed = []
    for name, part in parts.items():
        try:
            yield from part()
        except ImprovError as error:
            print(f"{name}: {error}", file=sys.stderr, flush=True)
            failed.append(name)
    if failed:
        raise ImprovError(f"not measured to the end: {', '.join(failed)}")

"""Whether the compiled code that something needs lies in numba's cache: else it takes many seconds to make."""

import threading
from collections.abc import Callable

from numba.core import event


class _NotCached(Exception):
    pass


class _Refuse(event.Listener):
    """Stops every compilation as it begins, in the thread that made this: numba tells it of all threads."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()

    def on_start(self, _event: event.Event) -> None:
        if threading.get_ident() == self._thread:
            raise _NotCached

    def on_end(self, _event: event.Event) -> None:
        pass


def cached(do: Callable[[], object]) -> bool:
    """Does `do`, up to the first thing that would have to be compiled; whether there was none."""
    try:
        with event.install_listener("numba:compile", _Refuse()):
            do()
    except _NotCached:
        return False
    return True

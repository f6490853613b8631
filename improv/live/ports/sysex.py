"""A cure for the deafness of rtmidi's JACK input."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from improv.live.ports.backend import Backend

SYSEX_END = b"\xf7"
INTERNAL = "improv internal"
_SECONDS = 0.25


class SysexEnder:
    """Ends, four times a second, any system exclusive message whose sender did not.

    rtmidi's JACK input takes everything after an unended one as part of it, and would deliver nothing for ever. A cable
    of our own into that input brings the end; what was swallowed is then delivered, a quarter of a second late at most.
    Patchbays show it as what it is, a port of improv's internals.
    """

    def __init__(self, backend: Backend) -> None:
        self._midi = backend.new_output(INTERNAL)
        self._pulse = backend.pulse()
        self._before: list[str] = []
        self._resting = threading.Event()
        self._thread: threading.Thread | None = None

    def look(self) -> None:
        """Remember what is there before the input's port comes."""
        self._before = self._pulse.listed("output", self._midi)

    def aim(self) -> None:
        """Lay the cable to the one port that has come since, and begin.

        Raises:
            OSError: it has gone again.
        """
        new = [
            number
            for number, name in enumerate(self._pulse.listed("output", self._midi))
            if name.startswith("improv in") and name not in self._before
        ]
        if not new:
            raise OSError("the input has gone again")
        self._midi.open_port(new[0], "end of sysex")
        self._resting.clear()
        self._thread = threading.Thread(target=self._run, name="sysex-ender", daemon=True)
        self._thread.start()

    def rest(self) -> None:
        """Take the cable away."""
        self._stop()
        self._midi.close_port()

    def let_go(self, how: Callable[[Any], None]) -> None:
        """Hand the rtmidi object to `how`."""
        self._stop()
        how(self._midi)

    def _stop(self) -> None:
        self._resting.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        cycle = 0
        while not self._resting.wait(_SECONDS):
            before, cycle = cycle, self._pulse.cycle()
            if cycle != before:  # on a server that has stalled the ring would fill, and the next send wait
                self._midi.send_message(list(SYSEX_END))

"""A cure for the deafness of rtmidi's JACK input."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

from improv.live.ports.backend import Backend

SYSEX_END = b"\xf7"
_SECONDS = 0.25


class SysexEnder:
    """Ends, four times a second, any system exclusive message whose sender did not.

    rtmidi's JACK input takes everything after an unended one as part of it, and would deliver nothing for ever. A cable
    of our own into that input brings the end; what was swallowed is then delivered, a quarter of a second late at most.

    Made before the input's port is, aimed at it afterwards.
    """

    def __init__(self, backend: Backend) -> None:
        self._midi = backend.new_output("improv watch")
        self._before = self._midi.get_ports()
        self._closing = threading.Event()
        self._lock = threading.Lock()

    def aim(self) -> None:
        """Lay the cable to the one port that has come since, and begin."""
        ports = self._midi.get_ports()
        new = [number for number, name in enumerate(ports) if name.startswith("improv in") and name not in self._before]
        with contextlib.suppress(OSError):  # the server has just died
            self._midi.open_port(new[0], "end of sysex")
            threading.Thread(target=self._run, name="sysex-ender", daemon=True).start()

    def close(self, let_go: Callable[[Any], None]) -> None:
        """Take the cable away and hand the rtmidi object to `let_go`."""
        self._closing.set()
        with self._lock:
            let_go(self._midi)

    def _run(self) -> None:
        while not self._closing.wait(_SECONDS):
            with self._lock:
                if not self._closing.is_set():
                    self._midi.send_message(list(SYSEX_END))

"""What becomes of the ports, told to the loop: once, in plain words."""

from __future__ import annotations

import threading

from improv.live.clock import Inbox
from improv.live.inputs import InputLost
from improv.live.messages import Notice, Problem
from improv.live.outputs import silence_output
from improv.live.ports import InputPort, OutputPort, Port


class PortNews:
    """Tells when a port is not there, and when it is again; of an input and an output of one name, once."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._missing: set[str] = set()
        self._lock = threading.Lock()  # ports are opened on threads of their own

    def tell(self, port: Port, connected: bool) -> None:
        """`port` was connected, or is not there any more, or not yet; see Patchbay."""
        if isinstance(port, OutputPort) and connected:
            silence_output(port)  # it may hold notes of an earlier session
        if isinstance(port, InputPort) and not connected:
            self._inbox.put(InputLost())
        with self._lock:
            if (port.wanted in self._missing) is not connected:
                return
            self._missing ^= {port.wanted}
        name = port.wanted
        self._inbox.put(Notice(f"{name} is connected", name) if connected else Problem(port.trouble, about=name))

"""Where the player's notes come from: one MIDI port, watched and opened beside the loop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from improv.errors import ImprovError
from improv.live.clock import Inbox
from improv.live.messages import Ports
from improv.live.outputs import Unopened
from improv.live.priority import step_back

if TYPE_CHECKING:
    from improv.live.ports import InputPort, Patchbay, PortList


@dataclass(frozen=True)
class Arrived:
    """A MIDI channel message from the player, stamped on arrival, in seconds."""

    at: float
    message: bytes


@dataclass(frozen=True)
class InputLost:
    """The player's port is gone: what was held will not be released by anybody else."""


class Input(Protocol):
    """Where the player's notes come from."""

    def set(self, name: str) -> None:
        """Listens to `name` and nothing else, soon; puts Unopened into the loop's inbox where it cannot."""

    def states(self) -> dict[str, bool]:
        """Whether each port listened to is connected."""


class PlayerInput:
    """The one port that is listened to. It is opened in a thread: a MIDI system may take its time."""

    def __init__(self, patchbay: Patchbay, inbox: Inbox) -> None:
        self._patchbay, self._inbox = patchbay, inbox
        self._port: InputPort | None = None
        self._wanted = ""
        self._turns = threading.Lock()

    def set(self, name: str) -> None:
        """Listens to the port `name`, or to none where it is empty, soon; says Unopened where it cannot."""
        self._wanted = name
        in_background(self._open)

    def states(self) -> dict[str, bool]:
        """Whether the port is connected, by the name it was asked for."""
        port = self._port
        return {port.wanted: port.connected} if port is not None else {}

    def _open(self) -> None:
        with self._turns:
            name = self._wanted  # the last one asked for, in whatever order the threads come here
            if self._port is not None and self._port.wanted == name:
                return
            if self._port is not None:
                self._port.close()
                self._port = None
                self._inbox.put(InputLost())  # only now has its last message come
            try:
                if name:
                    self._port = self._patchbay.open_input(name, lambda at, data: self._inbox.put(Arrived(at, data)))
            except ImprovError as error:
                self._inbox.put(Unopened(name, str(error)))
            except OSError as error:
                self._inbox.put(Unopened(name, f"cannot open {name}: {error}"))


class Listing:
    """Tells the loop what can be connected.

    Nobody tells a virtual port when what was patched into it goes, so any input that goes is taken to be that one:
    better a note of the player cut short than one held for ever.
    """

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._inputs: set[str] = set()

    def tell(self, ports: PortList) -> None:
        """`ports` is what there is now."""
        if not self._inputs <= set(ports.inputs):
            self._inbox.put(InputLost())
        self._inputs = set(ports.inputs)
        self._inbox.put(Ports(ports.backend, ports.inputs, ports.outputs, ports.cables))


def in_background(function: Callable[[], None]) -> None:
    """Runs `function` in a thread of its own, beside the loop."""

    def run() -> None:
        step_back()
        function()

    threading.Thread(target=run, name="background", daemon=True).start()

"""One input or output: plays on while connected, stays silent while not, never raises to the caller."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, ClassVar

from improv.live.parser import Parser
from improv.live.ports.backend import Backend, discard

OnMessage = Callable[[float, bytes], None]

VIRTUAL = "virtual"
_RINGBUFFER = 8000  # bytes: half of the ring in which rtmidi's JACK output waits, for ever, when nobody empties it
_LENGTH_FIELD = 4  # bytes it adds to every message there


class Port:
    """What inputs and outputs share. `Patchbay` makes them, and connects and disconnects them as ports come and go.

    Attributes:
        wanted: `virtual`, or the name or part of a name the port was opened by.
        name: its name as other programs (virtual) or people (a device) know it.
        listed: the name under which the backend lists it while it is there.
        lost: whether it broke under its user and the patchbay has not yet dealt with it.
    """

    kind: ClassVar[str]

    def __init__(self, wanted: str, on_close: Callable[[Port], None]) -> None:
        self.wanted = wanted
        self.name = wanted
        self.listed: str | None = None
        self.lost = False
        self._midi: Any = None
        self._lock = threading.Lock()
        self._on_close = on_close

    @property
    def virtual(self) -> bool:
        """Whether it is a port that other programs connect to."""
        return self.wanted == VIRTUAL

    @property
    def connected(self) -> bool:
        """Whether messages pass."""
        return self._midi is not None and not self.lost

    def close(self) -> None:
        """Close it for good; may be called twice."""
        self._on_close(self)

    def connect(self, backend: Backend, index: int | None) -> None:
        """Open the port number `index` of the backend, or the virtual port where None.

        Raises:
            OSError: the backend refuses, for example because the device has just gone.
        """
        client, port = self._own_names(backend)
        midi = self._new(backend, client)
        try:
            midi.open_virtual_port(port) if index is None else midi.open_port(index, port)
        except OSError:
            discard(midi)
            raise
        self.lost = False
        self._midi = midi

    def disconnect(self) -> None:
        """Let go of the backend. No message passes once this returns."""
        with self._lock:  # a send holds it only as long as it takes: from here on none is on its way
            midi, self._midi = self._midi, None
        if midi is not None:
            discard(midi)

    def _own_names(self, backend: Backend) -> tuple[str, str]:
        raise NotImplementedError

    def _new(self, backend: Backend, client: str) -> Any:
        raise NotImplementedError


class InputPort(Port):
    """Where the player's messages come from.

    `on_message(seconds, message)` is called on the backend's thread with the moment of arrival on
    `time.perf_counter` and one complete channel message.
    """

    kind = "input"

    def __init__(self, wanted: str, on_message: OnMessage, on_close: Callable[[Port], None]) -> None:
        super().__init__(wanted, on_close)
        self._on_message = on_message

    def _own_names(self, backend: Backend) -> tuple[str, str]:
        return ("improv in", "in") if backend.name == "JACK" else ("improv", "improv in")

    def _new(self, backend: Backend, client: str) -> Any:
        midi = backend.new_input(client)
        parser = Parser()

        def receive(event: tuple[list[int], float], _: object) -> None:
            seconds = time.perf_counter()
            for message in parser.feed(bytes(event[0])):
                self._on_message(seconds, message)

        midi.set_callback(receive)
        return midi


class OutputPort(Port):
    """Where the partner's messages go."""

    kind = "output"

    def __init__(self, wanted: str, on_close: Callable[[Port], None]) -> None:
        super().__init__(wanted, on_close)
        self._backend: Backend | None = None
        self._session: object = None
        self._unchecked = 0

    def send(self, message: bytes) -> None:
        """Send one complete message, at once or, where the port is not connected, not at all. Never raises or waits."""
        with self._lock:
            if self._midi is None or self.lost:
                return
            try:
                self._midi.send_message(message)
            except (OSError, ValueError):
                self.lost = True
            self._unchecked += len(message) + _LENGTH_FIELD
            if self._unchecked > _RINGBUFFER:
                self._unchecked = 0
                assert self._backend is not None
                self.lost = self.lost or self._backend.session() != self._session

    def _own_names(self, backend: Backend) -> tuple[str, str]:
        if backend.name != "JACK":
            return "improv", "improv out"
        return ("improv" if self.virtual else "improv to", "out")  # scripts connect `improv:out`

    def _new(self, backend: Backend, client: str) -> Any:
        self._backend, self._session, self._unchecked = backend, backend.session(), 0
        return backend.new_output(client)

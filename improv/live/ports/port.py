"""One input or output: plays on while connected, stays silent while not, never raises to the caller."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, ClassVar

from improv.live.parser import Parser
from improv.live.ports.backend import Backend, discard
from improv.live.ports.sysex import SYSEX_END, SysexEnder

OnMessage = Callable[[float, bytes], None]

VIRTUAL = "virtual"
_ASK_SECONDS = 0.001
_RING_BYTES = 8000  # half of the ring in which rtmidi's JACK output waits, for ever, when nobody empties it
_LENGTH_FIELD = 4  # bytes it adds to every message there
_LAST_SECONDS = 0.06  # two JACK periods and more: a port that goes sooner takes its last note-offs with it


class Port:
    """An input or output. `Patchbay` makes them, and connects and disconnects them as ports come and go.

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
    def seen_among(self) -> str:
        """The kind of list (`input` or `output`) that `listed` stands in: our own input is an output to others."""
        return {"input": "output", "output": "input"}[self.kind] if self.virtual else self.kind

    @property
    def attached(self) -> bool:
        """Whether it holds an object of the backend, be it a broken one."""
        return self._midi is not None

    @property
    def connected(self) -> bool:
        """Whether messages pass."""
        return self.attached and not self.lost

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

    def disconnect(self, let_go: Callable[[Any], None] = discard) -> None:
        """Let go of the backend, whose object is handed to `let_go`. At most one message is still on its way."""
        with self._lock:  # a send holds it only as long as it takes: from here on none is on its way
            midi, self._midi = self._midi, None
        self.listed, self.lost = None, False
        if midi is not None:
            let_go(midi)

    def _own_names(self, backend: Backend) -> tuple[str, str]:
        raise NotImplementedError

    def _new(self, backend: Backend, client: str) -> Any:
        raise NotImplementedError


class InputPort(Port):
    """Where the player's messages come from.

    `on_message(seconds, message)` is called on a thread of the port with the moment of arrival on `time.perf_counter`,
    exact to a millisecond, and one complete channel message.
    """

    kind = "input"

    def __init__(self, wanted: str, on_message: OnMessage, on_close: Callable[[Port], None]) -> None:
        super().__init__(wanted, on_close)
        self._on_message = on_message
        self._ender: SysexEnder | None = None

    def connect(self, backend: Backend, index: int | None) -> None:
        """Open the port and listen to it; see Port."""
        ender = SysexEnder(backend) if backend.name == "JACK" else None
        try:
            super().connect(backend, index)
        except OSError:
            if ender is not None:
                ender.close(discard)
            raise
        if ender is not None:
            ender.aim()
        self._ender = ender
        threading.Thread(target=self._listen, args=(self._midi,), name="midi-input", daemon=True).start()

    def disconnect(self, let_go: Callable[[Any], None] = discard) -> None:
        """Let go of the backend; see Port."""
        super().disconnect(let_go)
        ender, self._ender = self._ender, None
        if ender is not None:
            ender.close(let_go)

    def _listen(self, midi: Any) -> None:
        # We ask rather than let rtmidi call: its callback makes the system's realtime thread wait for the interpreter,
        # and closing a port while one waits crashes the process.
        parser = Parser()
        while True:
            with self._lock:
                if self._midi is not midi:
                    return
                event = midi.get_message()
            if event is None:
                time.sleep(_ASK_SECONDS)
                continue
            seconds = time.perf_counter()
            data = bytes(event[0])
            if data != SYSEX_END:  # the ender's: a stream it falls into goes on as if it had not
                for message in parser.feed(data):
                    self._on_message(seconds, message)

    def _own_names(self, backend: Backend) -> tuple[str, str]:
        return ("improv in", "in") if backend.name == "JACK" else ("improv", "improv in")

    def _new(self, backend: Backend, client: str) -> Any:
        midi = backend.new_input(client)
        midi.ignore_types(sysex=backend.name != "JACK")  # what an unended sysex swallowed comes as part of it
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
            if self._unchecked > _RING_BYTES:
                self._unchecked = 0
                assert self._backend is not None
                self.lost = self.lost or self._backend.session() != self._session

    def close(self) -> None:
        """Close it for good, once what was sent has arrived; may be called twice."""
        if self.connected:
            time.sleep(_LAST_SECONDS)
        super().close()

    def _own_names(self, backend: Backend) -> tuple[str, str]:
        if backend.name != "JACK":
            return "improv", "improv out"
        return ("improv" if self.virtual else "improv to", "out")  # scripts connect `improv:out`

    def _new(self, backend: Backend, client: str) -> Any:
        self._backend, self._session, self._unchecked = backend, backend.session(), 0
        return backend.new_output(client)

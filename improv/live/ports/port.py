"""One input or output: plays on while connected, stays silent while not, never raises to the caller."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any, ClassVar

from improv.live.outputs import ALL_NOTES_OFF, CONTROL, NOTE_OFF, NOTE_ON, VIRTUAL
from improv.live.parser import Parser
from improv.live.ports.backend import Backend
from improv.live.ports.jack import Pulse
from improv.live.ports.sysex import SYSEX_END, SysexEnder

OnMessage = Callable[[float, bytes], None]

_ASK_SECONDS = 0.001
_RING_BYTES = 16000  # in the ring that every cycle empties; where it is full, rtmidi's JACK output waits for ever
_LENGTH_FIELD = 4  # bytes it adds to every message there
_LATE_SECONDS = 0.25  # longer than a cycle: what is sent after so long without one would come too late to be music
_LAST_CYCLES, _LAST_SECONDS = 3, 0.06  # a port that goes sooner takes its last note-offs with it


class Port:
    """An input or output. `Patchbay` makes them, and connects and disconnects them as ports come and go.

    Attributes:
        wanted: `virtual`, or the name or part of a name the port was opened by.
        name: its name as other programs (virtual) or people (a device) know it.
        listed: the name under which the backend lists it while it is there.
        spotted: the port that the patchbay found, looking for it, when it looked last.
        lost: whether it broke under its user and the patchbay has not yet dealt with it.
        stalled: whether its system lives but does not go on.
        trouble: why it is not connected, in one line.
    """

    kind: ClassVar[str]

    def __init__(self, wanted: str, on_close: Callable[[Port], None]) -> None:
        self.wanted = wanted
        self.name = wanted
        self.listed: str | None = None
        self.spotted: str | None = None
        self.lost = self.stalled = False
        self.trouble = ""
        self._client: Any = None  # the rtmidi object, which outlives a cable: a new one costs JACK fifty milliseconds
        self._midi: Any = None  # the same while its port is open
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
        """Whether it has a port of the backend open, be it a broken one."""
        return self._midi is not None

    @property
    def connected(self) -> bool:
        """Whether messages pass."""
        return self.attached and not self.lost and not self.stalled

    def close(self) -> None:
        """Close it for good; may be called twice."""
        self._on_close(self)

    def connect(self, backend: Backend, index: int | None) -> None:
        """Open the port number `index` of the backend, or the virtual port where None.

        Raises:
            OSError: the backend refuses, for example because the device has just gone.
        """
        client, port = self._own_names(backend)
        if self._client is None:
            self._client = self._new(backend, client)
        try:
            self._client.open_virtual_port(port) if index is None else self._client.open_port(index, port)
        except ValueError as error:  # rtmidi's for a number that is no more
            raise OSError(str(error)) from error
        self._settle()
        self.lost = self.stalled = False
        self._midi = self._client

    def set_stalled(self, stalled: bool) -> None:
        """Its system does not go on, or does again."""
        self.stalled = stalled

    def disconnect(self) -> None:
        """Close the port and keep what else the backend gave, for the next time."""
        if self._detach() is not None:
            with contextlib.suppress(OSError):
                self._client.close_port()

    def let_go(self, how: Callable[[Any], None]) -> None:
        """Hand all that the backend gave to `how`."""
        self._detach()
        client, self._client = self._client, None
        if client is not None:
            how(client)

    def _detach(self) -> Any:
        """From here on no message is on its way."""
        with self._lock:  # a send holds it only as long as it takes
            midi, self._midi = self._midi, None
        self.listed, self.spotted, self.lost = None, None, False
        return midi

    def _settle(self) -> None:
        """Waits until what was opened is in use."""

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
        self._listening: threading.Thread | None = None
        self._played = False  # since the last look

    def look(self, cabled: bool) -> None:
        """To be called from time to time with whether anything is connected to the virtual port.

        What was connected, has played and is gone before anybody has seen it is missed by nobody, and cannot let go of
        its keys any more: that is done here.
        """
        played, self._played = self._played, False
        if played and not cabled:
            self._on_message(time.perf_counter(), bytes((CONTROL, ALL_NOTES_OFF, 0)))

    def connect(self, backend: Backend, index: int | None) -> None:
        """Open the port and listen to it; see Port."""
        if self._ender is None and backend.name == "JACK":
            self._ender = SysexEnder(backend)
        if self._ender is not None:
            self._ender.look()
        super().connect(backend, index)
        if self._ender is not None:
            try:
                self._ender.aim()
            except OSError:
                super().disconnect()
                raise
        self._listening = threading.Thread(target=self._listen, args=(self._midi,), name="midi-input", daemon=True)
        self._listening.start()

    def disconnect(self) -> None:
        """Close the port; see Port."""
        super().disconnect()
        while self._client is not None and self._client.get_message() is not None:
            pass  # nobody wants to hear it when it is back
        if self._ender is not None:
            self._ender.rest()

    def let_go(self, how: Callable[[Any], None]) -> None:
        """Let go of the backend; see Port."""
        super().let_go(how)
        ender, self._ender = self._ender, None
        if ender is not None:
            ender.let_go(how)

    def _detach(self) -> Any:
        midi = super()._detach()
        if self._listening is not None:
            self._listening.join()
        return midi

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
                    self._played = True

    def _own_names(self, backend: Backend) -> tuple[str, str]:
        return ("improv in", "in") if backend.name == "JACK" else ("improv", "improv in")

    def _new(self, backend: Backend, client: str) -> Any:
        midi = backend.new_input(client)
        # What an unended sysex swallowed comes as part of it; `timing` is the clock.
        midi.ignore_types(sysex=backend.name != "JACK", timing=False)
        return midi


class OutputPort(Port):
    """Where the partner's messages go."""

    kind = "output"

    def __init__(self, wanted: str, on_close: Callable[[Port], None]) -> None:
        super().__init__(wanted, on_close)
        self._pulse = Pulse()
        self._cycle, self._cycle_at, self._in_ring = 0, 0.0, 0
        self._sounding: set[tuple[int, int]] = set()  # (channel, pitch) that were sent and whose end was not

    def send(self, message: bytes) -> None:
        """Send one complete message, at once or, where that is not possible, not at all. Never raises or waits."""
        with self._lock:
            if self.connected and self._has_room(len(message) + _LENGTH_FIELD):
                self._send(message)

    def connect(self, backend: Backend, index: int | None) -> None:
        """Open the port, and end there what could not be ended before; see Port."""
        super().connect(backend, index)
        self._end_notes()

    def set_stalled(self, stalled: bool) -> None:
        """See Port; what could not be ended in the meantime is ended now."""
        resumes = self.stalled and not stalled
        super().set_stalled(stalled)
        if resumes:
            self._end_notes()

    def _settle(self) -> None:
        self._pulse.beats()  # what is sent in the cycle in which JACK lays a cable is lost

    def _end_notes(self) -> None:
        with self._lock:
            for channel, pitch in sorted(self._sounding if self.connected else ()):
                self._send(bytes([NOTE_OFF | channel, pitch, 0]))

    def _send(self, message: bytes) -> None:
        try:
            self._midi.send_message(message)
        except (OSError, ValueError):
            self.lost = True
            return
        kind, note = message[0] & 0xF0, (message[0] & 0x0F, message[1])
        if kind == NOTE_ON and message[2]:
            self._sounding.add(note)
        elif kind in (NOTE_OFF, NOTE_ON):
            self._sounding.discard(note)

    def _has_room(self, size: int) -> bool:
        cycle, now = self._pulse.cycle(), time.monotonic()
        if cycle != self._cycle:
            self._cycle, self._cycle_at, self._in_ring = cycle, now, 0
        self._in_ring += size
        if self._in_ring > _RING_BYTES or now - self._cycle_at > _LATE_SECONDS:
            self.stalled = True
        return not self.stalled

    def close(self) -> None:
        """Close it for good, once what was sent has arrived; may be called twice."""
        if self.connected and all(self._pulse.beats() for _ in range(_LAST_CYCLES)):
            time.sleep(_LAST_SECONDS)
        super().close()

    def _own_names(self, backend: Backend) -> tuple[str, str]:
        if backend.name != "JACK":
            return "improv", "improv out"
        return ("improv" if self.virtual else "improv to", "out")  # scripts connect `improv:out`

    def _new(self, backend: Backend, client: str) -> Any:
        self._pulse = backend.pulse()
        return backend.new_output(client)

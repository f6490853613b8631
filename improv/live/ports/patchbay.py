"""The patchbay: opens ports, and keeps them connected while devices, programs and servers come and go."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from improv.errors import ImprovError
from improv.live.ports.backend import Backend, abandon, choose_backend, discard
from improv.live.ports.jack import STALLED_SECONDS, Pulse
from improv.live.ports.names import NotThere, matching, the_one
from improv.live.ports.port import InputPort, OnMessage, OutputPort, Port
from improv.live.ports.sysex import INTERNAL

POLL_SECONDS = 0.25


@dataclass(frozen=True)
class PortList:
    """What can be connected now.

    Attributes:
        backend: name of the MIDI system; empty where none runs.
        inputs, outputs: ports of devices and other programs that can be listened to and played to.
        virtual: whether improv can make ports of its own.
        cables: what others have connected to those that it has made, by kind: `input` or `output`.
    """

    backend: str
    inputs: list[str]
    outputs: list[str]
    virtual: bool
    cables: dict[str, list[str]] = field(default_factory=dict)


class Patchbay:
    """Opens ports by name and watches them from a thread of its own.

    A port that is not there yet, or vanishes (unplugged, its program killed, the server gone or stalled), is connected
    once it has been there for two looks.

    Args:
        on_change: called with a port and whether it has been connected; where it has not been found, was disconnected
            or has stalled, `port.trouble` says so. On the watching thread, or on the one that opens the port.
        on_list: called there with the new list whenever what can be connected changes, or what is.
        cables: what to connect to the virtual ports once they are made, as in PortList.
    """

    def __init__(
        self,
        on_change: Callable[[Port, bool], object] | None = None,
        on_list: Callable[[PortList], object] | None = None,
        cables: Mapping[str, list[str]] | None = None,
    ) -> None:
        self._on_change = on_change or (lambda _port, _connected: None)
        self._on_list = on_list or (lambda _ports: None)
        self._cables = dict(cables or {})
        self._lock = threading.RLock()
        self._ports: list[Port] = []
        self._changes: list[tuple[Port, bool]] = []
        self._backend: Backend | None = None
        self._session: Hashable | None = None
        self._pulse = Pulse()
        self._stalled = False
        self._leaving: list[Any] = []  # rtmidi objects to be closed when the system goes on
        self._listers: dict[str, Any] = {}
        self._closing = threading.Event()
        with contextlib.suppress(ImprovError):
            self._attach()
        self._thread = threading.Thread(target=self._watch, name="patchbay", daemon=True)
        self._thread.start()

    def __enter__(self) -> Patchbay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def list_ports(self) -> PortList:
        """What can be connected now."""
        with self._lock:
            if self._backend is None:
                return PortList("", [], [], False)
            names = {kind: list(self._backend.names(self._listed(kind))) for kind in ("input", "output")}
            cabled = {
                port.kind: self._pulse.cables(port.listed) for port in self._ports if port.virtual and port.listed
            }
            cables = {kind: others for kind, ends in cabled.items() if (others := list(self._backend.names(ends)))}
            return PortList(self._backend.name, names["input"], names["output"], self._backend.virtual, cables)

    def open_input(self, wanted: str, on_message: OnMessage) -> InputPort:
        """Listen to `wanted`: `virtual`, or a port's name or a unique part of it.

        `on_message(seconds, message)` gets each channel message with its arrival on `time.perf_counter`, on another
        thread.

        A port or MIDI system that is not there is waited for: see `port.connected` and `port.trouble`.

        Raises:
            ImprovError: waiting cannot help: several ports match, or the system has no virtual ones.
        """
        port = InputPort(wanted, on_message, self._forget)
        self._open(port)
        return port

    def open_output(self, wanted: str) -> OutputPort:
        """Play to `wanted`; see `open_input`."""
        port = OutputPort(wanted, self._forget)
        self._open(port)
        return port

    def close(self) -> None:
        """Close every port and stop watching."""
        self._closing.set()
        self._thread.join()
        with self._lock:
            self._stalled = not self._pulse.beats(POLL_SECONDS if self._stalled else STALLED_SECONDS)
            for port in list(self._ports):
                port.close()
            let_go = abandon if self._stalled else discard
            for midi in (*self._listers.values(), *self._leaving):
                let_go(midi)

    # --- opening --------------------------------------------------------------------------------------------------

    def _open(self, port: Port) -> None:
        with self._lock:
            try:
                self._find(port, self._backend or self._attach())
            except NotThere as error:
                port.trouble = f"{error}; it will be used as soon as it can be"
            self._ports.append(port)
        if not port.connected:
            self._on_change(port, False)

    def _find(self, port: Port, backend: Backend) -> None:
        if port.virtual and not backend.virtual:
            raise ImprovError(
                f"{backend.name} has no virtual ports: install a loopback driver such as loopMIDI and name its port"
            )
        if not self._pulse.beats():
            raise NotThere(f"{backend.name} has stalled")
        try:
            if not port.virtual:
                port.name = the_one(list(backend.names(self._listed(port.kind))), port.wanted, port.kind)
            self._connect(port)
        except OSError as error:
            raise NotThere(f"cannot open the MIDI {port.kind} {port.name}: {error}") from error

    def _connect(self, port: Port) -> None:
        assert self._backend is not None
        before = self._listed(port.seen_among)
        if port.virtual:
            port.connect(self._backend, None)
            port.listed = next((name for name in self._listed(port.seen_among) if name not in before), None)
            port.name = port.listed or port.name
            for other in self._cables.pop(port.kind, ()):
                self._pulse.lay(*((port.name, other) if port.kind == "output" else (other, port.name)))
        else:
            listed = self._backend.names(before).get(port.name)
            if listed is None:
                raise OSError("it has just gone")
            port.connect(self._backend, before.index(listed))
            port.listed = listed

    def _forget(self, port: Port) -> None:
        with self._lock:
            port.let_go(discard if self._goes_on() else self._leaving.append)
            if port in self._ports:
                self._ports.remove(port)

    def _attach(self) -> Backend:
        backend = choose_backend()
        session = backend.session()
        try:
            self._listers = {"input": backend.new_input("improv watch"), "output": backend.new_output("improv watch")}
        except OSError as error:
            raise NotThere(f"{backend.name} has just stopped ({error})") from error
        self._backend, self._session, self._pulse = backend, session, backend.pulse()
        return backend

    def _goes_on(self) -> bool:
        """Whether something may be asked of the system; of one that is known to have stalled, without waiting."""
        return not self._stalled and self._pulse.beats()

    def _listed(self, kind: str) -> list[str]:
        return self._pulse.listed(kind, self._listers[kind])

    # --- watching -------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        shown = self._list_if_possible(PortList("", [], [], False))
        while not self._closing.wait(POLL_SECONDS):
            with self._lock:
                self._tend()
                changes, self._changes = self._changes, []
                ports = self._list_if_possible(shown)
            for port, connected in changes:
                self._on_change(port, connected)
            if ports != shown:
                self._on_list(ports)
            shown = ports

    def _list_if_possible(self, before: PortList) -> PortList:
        """What can be connected now; what could be before, where the system refuses to say."""
        try:
            return self.list_ports()
        except OSError:
            return before

    def _tend(self) -> None:
        """Bring what is connected in line with what is there."""
        try:
            backend = self._backend or self._attach()
            beats = backend.session() == self._session and self._pulse.beats()
            if backend.session() != self._session:  # a server that dies has stalled, too, for a moment
                self._mourn()
                return
            self._note_stall(not beats)
            if beats:
                self._tend_ports()
        except (ImprovError, OSError):
            self._mourn()  # the next look begins anew

    def _mourn(self) -> None:
        """The backend has died: let go of everything it gave."""
        for port in self._ports:
            self._tell_lost(port)
            port.let_go(abandon)
        for midi in (*self._listers.values(), *self._leaving):
            abandon(midi)
        self._listers, self._leaving = {}, []
        self._backend, self._pulse, self._stalled = None, Pulse(), False

    def _note_stall(self, stalled: bool) -> None:
        """The system has stopped in its tracks, and nothing may be asked of it, or it goes on."""
        assert self._backend is not None
        before, self._stalled = self._stalled, stalled
        for port in self._ports:
            port.set_stalled(stalled)
            if port.attached and stalled is not before:
                port.trouble = f"{port.wanted} is silent: {self._backend.name} has stalled; it goes on when that does"
                self._changes.append((port, not stalled))

    def _tend_ports(self) -> None:
        for midi in self._leaving:
            discard(midi)
        self._leaving.clear()
        for port in self._ports:
            self._tend_port(port)
            if isinstance(port, InputPort) and port.virtual and port.listed and self._pulse.sees_cables:
                port.look(any(not end.startswith(INTERNAL) for end in self._pulse.cables(port.listed)))

    def _tend_port(self, port: Port) -> None:
        assert self._backend is not None
        if port.lost:
            self._tell_lost(port)
            port.let_go(discard)
        elif port.listed is not None and port.listed not in self._listed(port.seen_among):
            self._tell_lost(port)
            port.disconnect()
        if port.connected:
            return
        if not port.virtual:
            names = self._backend.names(self._listed(port.kind))
            found = [port.name] if port.name in names else matching(list(names), port.wanted)
            before, port.spotted = port.spotted, found[0] if len(found) == 1 else None
            if port.spotted is None or port.spotted != before:
                return  # a program's port can be listed before that program knows of it, and loses what is sent then
            port.name = port.spotted
        with contextlib.suppress(OSError):  # it has just gone again
            self._connect(port)
            self._changes.append((port, True))

    def _tell_lost(self, port: Port) -> None:
        if port.attached and not self._stalled:
            port.trouble = f"{port.wanted} is gone; it will be used again when it is back"
            self._changes.append((port, False))


def list_ports() -> PortList:
    """What can be connected now.

    Raises:
        ImprovError: no MIDI system runs here; the message says what to do.
    """
    choose_backend()  # explains itself, where a patchbay would wait
    with Patchbay() as patchbay:
        return patchbay.list_ports()

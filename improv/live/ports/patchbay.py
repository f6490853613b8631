"""The patchbay: opens ports, and keeps them connected while devices, programs and servers come and go."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from improv.errors import ImprovError
from improv.live.ports.backend import Backend, abandon, choose_backend, discard
from improv.live.ports.names import matching, the_one
from improv.live.ports.port import InputPort, OnMessage, OutputPort, Port

POLL_SECONDS = 0.25


@dataclass(frozen=True)
class PortList:
    """What can be connected now.

    Attributes:
        backend: name of the MIDI system; empty where none runs.
        inputs, outputs: ports of devices and other programs that can be listened to and played to.
        virtual: whether improv can make ports of its own.
    """

    backend: str
    inputs: list[str]
    outputs: list[str]
    virtual: bool


class Patchbay:
    """Opens ports by name and watches them from a thread of its own.

    A port that vanishes (unplugged, its program killed, the server gone) is disconnected and comes back by itself.

    Args:
        on_change: called, on the watching thread, with a port and whether it was connected (or else disconnected).
        on_list: called there with the new list whenever what can be connected changes.
    """

    def __init__(
        self,
        on_change: Callable[[Port, bool], object] | None = None,
        on_list: Callable[[PortList], object] | None = None,
    ) -> None:
        self._on_change = on_change or (lambda _port, _connected: None)
        self._on_list = on_list or (lambda _ports: None)
        self._lock = threading.RLock()
        self._ports: list[Port] = []
        self._changes: list[tuple[Port, bool]] = []
        self._backend: Backend | None = None
        self._session: Hashable | None = None
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
            return PortList(self._backend.name, names["input"], names["output"], self._backend.virtual)

    def open_input(self, wanted: str, on_message: OnMessage) -> InputPort:
        """Listen to `wanted`: `virtual`, or a port's name or a unique part of it.

        `on_message(seconds, message)` gets each channel message with its arrival on `time.perf_counter`, on another
        thread.

        Raises:
            ImprovError: there is no such port, or several, or no MIDI system.
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
            for port in list(self._ports):
                port.close()
            for lister in self._listers.values():
                discard(lister)

    # --- opening --------------------------------------------------------------------------------------------------

    def _open(self, port: Port) -> None:
        with self._lock:
            backend = self._backend or self._attach()
            if port.virtual and not backend.virtual:
                raise ImprovError(
                    f"{backend.name} has no virtual ports: install a loopback driver such as loopMIDI and name its port"
                )
            try:
                if not port.virtual:
                    port.name = the_one(list(backend.names(self._listed(port.kind))), port.wanted, port.kind)
                self._connect(port)
            except OSError as error:
                raise ImprovError(f"cannot open the MIDI {port.kind} {port.name}: {error}") from error
            self._ports.append(port)

    def _connect(self, port: Port) -> None:
        assert self._backend is not None
        before = self._listed(port.seen_among)
        if port.virtual:
            port.connect(self._backend, None)
            port.listed = next((name for name in self._listed(port.seen_among) if name not in before), None)
            port.name = port.listed or port.name
        else:
            port.listed = self._backend.names(before)[port.name]
            port.connect(self._backend, before.index(port.listed))

    def _forget(self, port: Port) -> None:
        with self._lock:
            port.disconnect()
            if port in self._ports:
                self._ports.remove(port)

    def _attach(self) -> Backend:
        backend = choose_backend()
        session = backend.session()
        try:
            self._listers = {"input": backend.new_input("improv watch"), "output": backend.new_output("improv watch")}
        except OSError as error:
            raise ImprovError(f"{backend.name} has just stopped: try again ({error})") from error
        self._backend, self._session = backend, session
        return backend

    def _listed(self, kind: str) -> list[str]:
        return list(self._listers[kind].get_ports())

    # --- watching -------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        shown = self.list_ports()
        while not self._closing.wait(POLL_SECONDS):
            with self._lock:
                self._tend()
                changes, self._changes = self._changes, []
                ports = self.list_ports()
            for port, connected in changes:
                self._on_change(port, connected)
            if ports != shown:
                self._on_list(ports)
            shown = ports

    def _tend(self) -> None:
        """Bring what is connected in line with what is there."""
        try:
            if self._backend is not None and self._backend.session() != self._session:
                self._mourn()
            if self._backend is None:
                self._attach()
            for port in self._ports:
                self._tend_port(port)
        except (ImprovError, OSError):
            self._mourn()  # the next look begins anew

    def _mourn(self) -> None:
        """The backend has died: let go of everything it gave."""
        for port in self._ports:
            self._drop(port, abandon)
        for lister in self._listers.values():
            abandon(lister)
        self._listers, self._backend = {}, None

    def _tend_port(self, port: Port) -> None:
        assert self._backend is not None
        if port.lost or (port.listed is not None and port.listed not in self._listed(port.seen_among)):
            self._drop(port, discard)
        if port.connected:
            return
        if not port.virtual:
            names = self._backend.names(self._listed(port.kind))
            found = [port.name] if port.name in names else matching(list(names), port.wanted)
            if len(found) != 1:
                return
            port.name = found[0]
        with contextlib.suppress(OSError):  # it has just gone again
            self._connect(port)
            self._changes.append((port, True))

    def _drop(self, port: Port, let_go: Callable[[Any], None]) -> None:
        if port.attached:
            port.disconnect(let_go)
            self._changes.append((port, False))


def list_ports() -> PortList:
    """What can be connected now.

    Raises:
        ImprovError: no MIDI system runs here; the message says what to do.
    """
    choose_backend()  # explains itself, where a patchbay would wait
    with Patchbay() as patchbay:
        return patchbay.list_ports()

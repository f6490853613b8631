"""Another program that the partner plays to, and what it can tell about the partner's time."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from improv.errors import ImprovError
from improv.live.outputs import NOTE_OFF, NOTE_ON
from improv.live.ports.backend import choose_backend, discard
from improv.live.ports.jack import Pulse

CABLE_SECONDS = 30.0
POLL_SECONDS = 0.05


class Listener:
    """Records what comes to a JACK port of its own.

    JACK's thread stamps each message as it comes and asks nothing of the interpreter, so however busy this process is,
    the moments are exact, and nobody is kept waiting.

    Attributes:
        heard: (seconds, message) of what `listen` has taken in; the seconds count from the first message.
    """

    def __init__(self, name: str = "listener") -> None:
        self.heard: list[tuple[float, bytes]] = []
        self._now = 0.0
        self._port: Any = choose_backend().new_input(name)
        self._port.open_virtual_port("in")
        self._name = f"{name}:in"

    def attach(self, source: str) -> None:
        """Waits for the port `source`, as `client:port`, and lays a cable to it."""
        connect(source, self._name)

    def listen(self) -> None:
        """Takes in what has come; must be called before many thousand messages have."""
        while self._port is not None and (event := self._port.get_message()) is not None:
            message, since = event
            self._now += since
            self.heard.append((self._now, bytes(message)))

    def notes(self) -> list[tuple[float, int, int]]:
        """(seconds, pitch, velocity); velocity 0 ends a note."""
        self.listen()
        kept = [(at, m) for at, m in self.heard if m[0] & 0xF0 in (NOTE_OFF, NOTE_ON)]
        return [(at, m[1], m[2] if m[0] & 0xF0 == NOTE_ON else 0) for at, m in kept]

    @property
    def sounding(self) -> set[int]:
        """The pitches that have begun and not ended."""
        pitches: set[int] = set()
        for _, pitch, velocity in self.notes():
            (pitches.add if velocity else pitches.discard)(pitch)
        return pitches

    def close(self) -> None:
        """Takes in what has come and unplugs it; may be called twice."""
        self.listen()
        if self._port is not None:
            discard(self._port)  # from here on rtmidi would crash, asked for a message
            self._port = None


def connect(source: str, target: str) -> None:
    """Lays a cable between two JACK ports as soon as both are there.

    Raises:
        ImprovError: they do not come.
    """
    # By a client that is there already: JACK's own program comes and goes as one, and where the graph changes so often
    # while others come, the server may from then on wait for nobody in every cycle.
    pulse, deadline = choose_backend().pulse(), time.monotonic() + CABLE_SECONDS
    while target not in pulse.cables(source):
        if time.monotonic() > deadline:
            raise ImprovError(
                f"there is no cable from {source} to {target}: the program that one of them belongs to fails"
            )
        if pulse.beats() and source in _listed(pulse) and target in _listed(pulse):
            pulse.lay(source, target)
        else:
            time.sleep(POLL_SECONDS)


def _listed(pulse: Pulse) -> list[str]:
    return [port for kind in ("input", "output") for port in pulse.ports(kind) or []]


def lateness(onsets: NDArray[np.float64], frame: float) -> NDArray[np.float64]:
    """How late each onset is after its tick, all in seconds, where a tick comes every `frame`.

    Ticks are where the earliest of the onsets says: it waited for nothing, not even for JACK's next cycle.
    """
    angles = 2 * np.pi * onsets / frame
    middle = np.angle(np.exp(1j * angles).mean())
    away = np.angle(np.exp(1j * (angles - middle))) / (2 * np.pi) * frame
    late: NDArray[np.float64] = away - away.min()
    return late

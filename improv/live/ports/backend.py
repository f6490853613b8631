"""The MIDI systems rtmidi knows, which of them works here, and what it lists."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from improv.errors import ImprovError
from improv.live.ports.jack import Pulse, pulse_of, server_session, silence_libjack
from improv.live.ports.names import NotThere, steady

try:
    import rtmidi
except ImportError as missing:
    raise ImprovError(f"MIDI cannot be used ({missing}): on Debian, sudo apt-get install libasound2") from missing

_OPENING_SECONDS = 2.0  # a busy server takes its time for a newcomer
_QUEUE = 16384  # messages an input keeps for us; a flood beyond loses them


@dataclass(frozen=True)
class Backend:
    """A MIDI system.

    Attributes:
        name: as people call it.
        api: rtmidi's number for it.
        virtual: whether programs can make ports of their own.
        numbered: whether it appends numbers to port names.
    """

    name: str
    api: int
    virtual: bool = True
    numbered: bool = False

    def session(self) -> Hashable | None:
        """What tells one run of the system from the next; None while it is not running. Cheap, silent, never blocks."""
        if self.api == rtmidi.API_UNIX_JACK:
            return server_session()
        if self.api == rtmidi.API_LINUX_ALSA:
            return "/dev/snd/seq" if os.path.exists("/dev/snd/seq") else None
        return self.name

    def pulse(self) -> Pulse:
        """Whether the run of the system that there is now goes on."""
        return pulse_of(self.session()) if self.api == rtmidi.API_UNIX_JACK else Pulse()

    def new_input(self, client: str) -> Any:
        """A closed rtmidi input. Raises OSError where the system refuses."""
        return rtmidi.MidiIn(self.api, name=client, queue_size_limit=_QUEUE)

    def new_output(self, client: str) -> Any:
        """A closed rtmidi output. Raises OSError where the system refuses."""
        return rtmidi.MidiOut(self.api, name=client)

    def names(self, listed: list[str]) -> dict[str, str]:
        """Other programs' and devices' ports: steady name -> name as listed."""
        return steady(listed, numbered=self.numbered)


_BACKENDS = (
    Backend("CoreMIDI", rtmidi.API_MACOSX_CORE),
    Backend("Windows MM", rtmidi.API_WINDOWS_MM, virtual=False, numbered=True),
    Backend("ALSA", rtmidi.API_LINUX_ALSA, numbered=True),
    Backend("JACK", rtmidi.API_UNIX_JACK),
)


def choose_backend() -> Backend:
    """The first MIDI system that works here: CoreMIDI or Windows MM, else ALSA, else JACK.

    The environment variable IMPROV_MIDI (`alsa` or `jack`) forces one.

    Raises:
        NotThere: none works; the message says which were tried and what to do.
    """
    forced = os.environ.get("IMPROV_MIDI", "").strip().casefold()
    compiled = rtmidi.get_compiled_api()
    tried = [backend for backend in _BACKENDS if backend.api in compiled]
    if forced:
        tried = [backend for backend in tried if backend.name.casefold() == forced]
    silence_libjack()
    for backend in tried:
        if backend.session() is not None and _opens(backend):
            return backend
    names = " and ".join(backend.name for backend in tried) or f"IMPROV_MIDI={forced}"
    raise NotThere(f"no MIDI system is running (tried {names}): {_advice()}")


def discard(midi: Any) -> None:
    """Close an rtmidi object for good. Dropping the reference is not enough: it would keep its client."""
    with contextlib.suppress(OSError):
        midi.close_port()
    midi.delete()


_abandoned: list[Any] = []


def abandon(midi: Any) -> None:
    """Let go of an rtmidi object whose system has died, without closing it.

    Closing a dead JACK output holds the interpreter, and with it every tick, for a second. The dead client has neither
    thread nor socket left, and libjack meets the next server as if it were not there.
    """
    _abandoned.append(midi)


def _opens(backend: Backend) -> bool:
    if backend.api == rtmidi.API_UNIX_JACK:
        return backend.pulse().beats(_OPENING_SECONDS)
    try:
        discard(backend.new_input("improv probe"))
    except OSError:
        return False
    return True


def _advice() -> str:
    if sys.platform == "linux":
        return "load ALSA's sequencer (sudo modprobe snd-seq) or start a JACK server (jackd -d dummy)"
    return "start it, or set IMPROV_MIDI to one that runs"

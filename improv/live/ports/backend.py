"""The MIDI systems rtmidi knows, which of them works here, and what it lists."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import socket
import sys
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from improv.errors import ImprovError
from improv.live.ports.names import steady

try:
    import rtmidi
except ImportError as missing:
    raise ImprovError(f"MIDI cannot be used ({missing}): on Debian, sudo apt-get install libasound2") from missing

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
            return _jack_session()
        if self.api == rtmidi.API_LINUX_ALSA:
            return "/dev/snd/seq" if os.path.exists("/dev/snd/seq") else None
        return self.name

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
        ImprovError: none works; the message says which were tried and what to do.
    """
    forced = os.environ.get("IMPROV_MIDI", "").strip().casefold()
    compiled = rtmidi.get_compiled_api()
    tried = [backend for backend in _BACKENDS if backend.api in compiled]
    if forced:
        tried = [backend for backend in tried if backend.name.casefold() == forced]
    _silence_libjack()
    for backend in tried:
        if backend.session() is not None and _opens(backend):
            return backend
    names = " and ".join(backend.name for backend in tried) or f"IMPROV_MIDI={forced}"
    raise ImprovError(f"no MIDI system is running (tried {names}): {_advice()}")


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
    try:
        discard(backend.new_input("improv probe"))
    except OSError:
        return False
    return True


def _advice() -> str:
    if sys.platform == "linux":
        return "load ALSA's sequencer (sudo modprobe snd-seq) or start a JACK server (jackd -d dummy)"
    return "start it, or set IMPROV_MIDI to one that runs"


def _jack_session() -> Hashable | None:
    # After a server's death libjack goes on listing ports and accepting sends; only its socket tells the truth.
    # Asking libjack for a new client instead would print to stderr, and a restart between two looks would go unseen.
    name = os.environ.get("JACK_DEFAULT_SERVER", "default")
    for path in (Path(f"/dev/shm/jack_{name}_{os.getuid()}_0"), Path(f"/dev/shm/jack_{name}_0")):
        with contextlib.suppress(FileNotFoundError, ConnectionRefusedError), socket.socket(socket.AF_UNIX) as probe:
            probe.setblocking(False)
            with contextlib.suppress(BlockingIOError):  # too busy to answer at once, but there
                probe.connect(str(path))
            status = path.stat()
            return status.st_ino, status.st_mtime_ns
    return None


@functools.cache
def _silence_libjack() -> None:
    """Keep libjack, which reports a lost server many times over, off the player's terminal."""
    if sys.platform != "linux":
        return
    os.environ.setdefault("JACK_NO_START_SERVER", "1")
    mapped = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines()
    ignore = ctypes.cast(ctypes.CDLL(None).strlen, ctypes.c_void_p)  # takes a text, changes nothing, runs no Python
    for path in {line.split(maxsplit=5)[-1] for line in mapped if "libjack" in line}:
        with contextlib.suppress(OSError, AttributeError):
            library = ctypes.CDLL(path)
            library.jack_set_error_function(ignore)
            library.jack_set_info_function(ignore)

"""What rtmidi does not tell of JACK, or not without keeping the loop: whether it goes on, and what ports there are."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import itertools
import os
import socket
import sys
import threading
import time
from collections.abc import Hashable
from pathlib import Path
from typing import Any

STALLED_SECONDS = 1.0  # without a cycle; the longest cycles that JACK can be set to take a fifth of it
_RETRY_SECONDS = 1.0
_NO_START_SERVER = 1
_MIDI = b"8 bit raw midi"
_FLAGS = {"input": 2, "output": 1}  # of the ports that an input or output is connected to: they are the other way round


class Pulse:
    """Whether a MIDI system goes on. This one, of systems that cannot stop half-way, always does."""

    def cycle(self) -> int:
        """A number that changes whenever what was sent has been taken away."""
        return time.perf_counter_ns()

    def beats(self, seconds: float = STALLED_SECONDS) -> bool:  # noqa: ARG002 - never waits
        """Whether the system goes on: it has `seconds` to show it."""
        return True

    def ports(self, kind: str) -> list[str] | None:  # noqa: ARG002 - see JackPulse
        """The ports of a kind (`input`, which can be listened to, or `output`) in rtmidi's order; None: ask rtmidi."""
        return None

    def listed(self, kind: str, midi: Any) -> list[str]:
        """The same, by the rtmidi object `midi` of that kind where it must be asked."""
        ports = self.ports(kind)
        return list(midi.get_ports()) if ports is None else ports

    @property
    def sees_cables(self) -> bool:
        """Whether `cables` tells of all there are."""
        return False

    def cables(self, port: str) -> list[str]:  # noqa: ARG002 - elsewhere nobody can look
        """What a hand has connected to `port`, as far as that can be seen."""
        return []

    def lay(self, source: str, target: str) -> None:
        """Connects the port `source` to the port `target`, where that can be done for others."""


class JackPulse(Pulse):
    """The cycles of a JACK server.

    A server that lives but does not cycle (its sound card pulled out, the process stopped) answers no request, and
    rtmidi waits for it for ever, with the interpreter's lock held. So this is asked before rtmidi is, by a client that
    has no port, is in nobody's way, and waits, if it must, in a thread of its own without that lock.

    Args:
        session: of the server, from `server_session`.
    """

    def __init__(self, session: Hashable | None) -> None:
        self._session = session
        self._client: int | None = None
        threading.Thread(target=self._open, name="jack-pulse", daemon=True).start()

    def cycle(self) -> int:
        """The server's count of frames at the beginning of its cycle."""
        return 0 if self._client is None else _libjack(ctypes.PyDLL).jack_last_frame_time(self._client)

    def beats(self, seconds: float = STALLED_SECONDS) -> bool:
        """Whether a cycle begins within `seconds`; returns as soon as one does."""
        before, end = self.cycle(), time.monotonic() + seconds
        while self.cycle() == before:
            if time.monotonic() > end:
                return False
            time.sleep(0.001)
        return True

    def ports(self, kind: str) -> list[str] | None:
        """See Pulse. rtmidi looks through all that the server has room for once for every name, some milliseconds in
        all, and keeps the interpreter's lock, and with it the loop, as long."""
        if self._client is None:
            return None
        return _names(_libjack(ctypes.CDLL).jack_get_ports(self._client, None, _MIDI, _FLAGS[kind]))

    @property
    def sees_cables(self) -> bool:
        """See Pulse."""
        return self._client is not None

    def cables(self, port: str) -> list[str]:
        """See Pulse; it waits for no answer, but maybe for the end of a cycle."""
        library = _libjack(ctypes.CDLL)
        found = self._client and library.jack_port_by_name(self._client, port.encode())
        return _names(found and library.jack_port_get_all_connections(self._client, found))

    def lay(self, source: str, target: str) -> None:
        """See Pulse."""
        if self._client is not None:
            _libjack(ctypes.CDLL).jack_connect(self._client, source.encode(), target.encode())

    def _open(self) -> None:
        # Never closed: closing, too, waits for the server. It goes with the process.
        while self._session is not None and self._session == server_session():
            self._client = _libjack(ctypes.CDLL).jack_client_open(b"improv pulse", _NO_START_SERVER, None)
            if self._client is not None:
                return
            time.sleep(_RETRY_SECONDS)


def _names(listed: Any) -> list[str]:
    """The names in a list of libjack's, which is freed; none where it gave no list."""
    if not listed:
        return []
    try:
        return [name.decode(errors="replace") for name in itertools.takewhile(bool, listed)]
    finally:
        _libjack(ctypes.CDLL).jack_free(listed)


@functools.lru_cache(maxsize=1)
def pulse_of(session: Hashable | None) -> JackPulse:
    """The pulse of the server that runs now."""
    return JackPulse(session)


def server_session() -> Hashable | None:
    """What tells one run of the server from the next; None while none runs. Cheap, silent, never blocks."""
    # After a server's death libjack goes on listing ports and accepting sends; only its socket tells the truth.
    # Asking libjack for a new client instead would print to stderr, and a restart between two looks would go unseen.
    name = os.environ.get("JACK_DEFAULT_SERVER", "default")
    for path in (Path(f"/dev/shm/jack_{name}_{os.getuid()}_0"), Path(f"/dev/shm/jack_{name}_0")):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:  # nobody there, or not for us
            probe.setblocking(False)
            with contextlib.suppress(BlockingIOError):  # too busy to answer at once, but there
                probe.connect(str(path))
            status = path.stat()
            return status.st_ino, status.st_mtime_ns
    return None


@functools.cache
def silence_libjack() -> None:
    """Keep libjack, which reports a lost server many times over, off the player's terminal."""
    if _library() is None:
        return
    os.environ.setdefault("JACK_NO_START_SERVER", "1")
    ignore = ctypes.cast(ctypes.CDLL(None).strlen, ctypes.c_void_p)  # takes a text, changes nothing, runs no Python
    with contextlib.suppress(OSError, AttributeError):
        _libjack(ctypes.CDLL).jack_set_error_function(ignore)
        _libjack(ctypes.CDLL).jack_set_info_function(ignore)


@functools.cache
def _library() -> str | None:
    """The libjack that rtmidi has brought along; None where there is none."""
    if sys.platform != "linux":
        return None
    mapped = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines()
    return next((line.split(maxsplit=5)[-1] for line in mapped if "libjack" in line), None)


@functools.cache
def _libjack(kind: type[ctypes.CDLL]) -> ctypes.CDLL:
    """It, to be called without the interpreter's lock (CDLL: what may wait) or with it (PyDLL: what is a mere look)."""
    library = kind(_library())
    library.jack_client_open.restype = ctypes.c_void_p
    library.jack_client_open.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p]
    library.jack_last_frame_time.restype = ctypes.c_uint32
    library.jack_last_frame_time.argtypes = [ctypes.c_void_p]
    library.jack_port_by_name.restype = ctypes.c_void_p
    library.jack_port_by_name.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    library.jack_port_get_all_connections.restype = ctypes.POINTER(ctypes.c_char_p)
    library.jack_port_get_all_connections.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    library.jack_get_ports.restype = ctypes.POINTER(ctypes.c_char_p)
    library.jack_get_ports.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong]
    library.jack_free.argtypes = [ctypes.c_void_p]
    library.jack_connect.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p]
    return library

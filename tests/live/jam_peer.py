"""A recorder at the other end of a JACK MIDI cable: `jam_peer.py NAME SOURCE` records what the port SOURCE plays.

It says `ready`, then `attached` as soon as there is such a port, then a line for every message: its moment in seconds,
from the first message on, the moment of the line itself on the machine's monotonic clock, and the message in
hexadecimal. JACK's own clock stamps the messages, so that a busy machine blurs nothing. It ends when its standard input
does.
"""

import sys
import threading
import time
from typing import Any

import rtmidi


class Recorder:
    """Prints what it hears."""

    def __init__(self, name: str) -> None:
        self._now = 0.0
        self._port = rtmidi.MidiIn(rtmidi.API_UNIX_JACK, name=name, queue_size_limit=16384)
        self._port.ignore_types(timing=False)
        self._port.set_callback(self._hear)

    def attach(self, source: str) -> None:
        """Waits for the port and lays a cable to it; no other program need be started for that, which JACK minds."""
        while source not in (names := self._port.get_ports()):
            time.sleep(0.05)
        self._port.open_port(names.index(source), "in")
        print("attached", flush=True)

    def _hear(self, event: tuple[list[int], float], _: Any) -> None:
        message, since = event
        self._now += since
        print(f"{self._now:.6f} {time.monotonic():.6f}", bytes(message).hex(), flush=True)


def main(name: str, source: str) -> None:
    """Records until standard input ends."""
    recorder = Recorder(name)
    print("ready", flush=True)
    threading.Thread(target=recorder.attach, args=(source,), daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])

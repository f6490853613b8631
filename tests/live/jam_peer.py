"""A recorder at the end of a JACK MIDI cable: `jam_peer.py NAME` prints what comes to NAME:in, and when.

Each line is the moment in seconds, from the first message on, and the message in hexadecimal. JACK's own clock stamps
them, so that a busy machine blurs neither. It says `ready`, and ends when its standard input does.
"""

import sys
from typing import Any

import rtmidi


class Recorder:
    """Prints what it hears."""

    def __init__(self) -> None:
        self.now = 0.0

    def hear(self, event: tuple[list[int], float], _: Any) -> None:
        """One message, and the seconds since the one before."""
        message, since = event
        self.now += since
        print(f"{self.now:.6f}", bytes(message).hex(), flush=True)


def main(name: str) -> None:
    """Prints until standard input ends."""
    port = rtmidi.MidiIn(rtmidi.API_UNIX_JACK, name=name, queue_size_limit=16384)
    port.set_callback(Recorder().hear)
    port.open_virtual_port("in")
    print("ready", flush=True)
    sys.stdin.read()
    port.close_port()


if __name__ == "__main__":
    main(sys.argv[1])

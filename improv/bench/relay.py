"""A program that passes on what it hears: what two JACK ports cost without a partner between them.

`python -m improv.bench.relay CHANNEL` sends every note that comes to `relay in:in` from `relay out:out`, on that
channel, at once, from JACK's own thread. To be killed: rtmidi may crash where a port is closed as a message comes.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

from improv.live.ports.backend import choose_backend


def main() -> None:
    """Relays for ever."""
    channel, backend = int(sys.argv[1]), choose_backend()
    source, target = backend.new_input("relay in"), backend.new_output("relay out")

    def pass_on(event: tuple[list[int], float], _: Any) -> None:
        (status, *data), _since = event
        target.send_message([status & 0xF0 | channel, *data])

    target.open_virtual_port("out")
    source.open_virtual_port("in")
    source.set_callback(pass_on)  # last: while a port is opened, JACK's thread would wait for the interpreter for ever
    threading.Event().wait()


if __name__ == "__main__":
    main()

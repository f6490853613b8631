"""A keyboard that sends far more than anybody can play."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from improv.bench.musician import AFTERTOUCH
from improv.errors import ImprovError
from improv.live.outputs import NOTE_OFF, NOTE_ON
from improv.live.priority import BESIDE, ask_for_realtime
from improv.live.sync import Kind
from improv.music.pianoroll import LOW, N_PITCHES

PULSE = bytes((Kind.PULSE,))
SYSEX = bytes((0xF0, 0x7D, *([0x55] * 253), 0xF7))
SYSEX_EVERY = 32  # events: at 10,000 a second, 80 kB, some 25 times what a MIDI cable carries
BATCH_SECONDS = 0.001


def events(notes: int) -> Iterator[bytes]:
    """The flood: `notes` of every ten events are notes, the others aftertouch on all channels and clock pulses."""
    for n in count():
        pair = n * notes // 10
        if (n + 1) * notes // 10 > pair:
            pitch = LOW + pair // 2 % N_PITCHES
            yield bytes((NOTE_OFF if pair % 2 else NOTE_ON, pitch, 0 if pair % 2 else 80))
        else:
            yield PULSE if n % 2 else bytes((AFTERTOUCH | n // 2 % 16, n % 128))


class Sender(threading.Thread):
    """Plays the flood from a thread of its own, which like a real keyboard waits for no busy program.

    Attributes:
        sent, notes: events, sysex not counted, and notes among them.
        sysex: bytes of it.
        share: 0..1 of all that is done.
        took: seconds in all; 0 until it is done.
        stopped: set it to end early.
    """

    def __init__(self, keyboard: Any, notes: int, seconds: float, rate: float) -> None:
        super().__init__(name="sender")
        self._keyboard, self._events, self._seconds, self._rate = keyboard, events(notes), seconds, rate
        self.sent = self.sysex = self.notes = self._ended = 0
        self.took = self.share = 0.0
        self.stopped = False

    def run(self) -> None:
        """Plays what so many seconds hold, on a slow machine in more of them, then lets go of every key."""
        ask_for_realtime(BESIDE)
        start, total = time.perf_counter(), round(self._seconds * self._rate)
        while self.sent < total and not self.stopped:
            while self.sent < min((time.perf_counter() - start) * self._rate, total):
                self._send(next(self._events))
            self.share = self.sent / total
            time.sleep(BATCH_SECONDS)
        while self.notes > self._ended:
            self._send(next(self._events))
        self.took = time.perf_counter() - start

    def _send(self, event: bytes) -> None:
        self._keyboard.send_message(event)
        self.sent += 1
        self.notes += event[0] == NOTE_ON
        self._ended += event[0] == NOTE_OFF
        if self.sent % SYSEX_EVERY == 0:
            self._keyboard.send_message(SYSEX)
            self.sysex += len(SYSEX)


@contextmanager
def sending(keyboard: Any, notes: int, seconds: float, rate: float) -> Iterator[Sender]:
    """A sender at work, which is over in the end: what it sends to must be there so long.

    Raises:
        ImprovError: it broke down.
    """
    sender = Sender(keyboard, notes, seconds, rate)
    sender.start()
    try:
        yield sender
    finally:
        sender.stopped = True
        sender.join()
    if not sender.took:
        raise ImprovError("the port that the flood was sent from failed")

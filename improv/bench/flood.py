"""Far more than anybody can play, at the real port of a real engine: what becomes of the beat, the memory, the take."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from improv.bench import stage
from improv.bench.musician import AFTERTOUCH
from improv.bench.vitals import Vitals
from improv.live.messages import Sounded, Status
from improv.live.outputs import NOTE_OFF, NOTE_ON
from improv.live.priority import BESIDE, ask_for_realtime
from improv.live.process import EngineProcess
from improv.live.sync import Kind
from improv.music.midifile import read_score
from improv.music.pianoroll import LOW, N_PITCHES

PULSE = bytes((Kind.PULSE,))
SYSEX = bytes((0xF0, 0x7D, *([0x55] * 253), 0xF7))
SYSEX_EVERY = 32  # events: at 10,000 a second, 80 kB, some 25 times what a MIDI cable carries
BATCH_SECONDS = 0.001
SETTLED_SECONDS, CLOSE_SECONDS = 2.0, 30.0


@dataclass(frozen=True)
class Flooded:
    """What became of it.

    Attributes:
        sent, rate: events, sysex not counted, and how many a second.
        sysex: bytes of sysex sent.
        missed: ticks without an answer.
        lateness: of the worst tick, in milliseconds.
        early, late: what the engine held after a sixth of the time and at its end.
        notes, heard, kept: notes that were played, that have reached the engine, and that are in the take.
        sounding: notes of the partner left sounding.
        status: with which the engine ended.
    """

    sent: int
    rate: float
    sysex: int
    missed: int
    lateness: float
    early: Vitals
    late: Vitals
    notes: int
    heard: int
    kept: int
    sounding: int
    status: int


def events(notes: int) -> Iterator[bytes]:
    """The flood: `notes` of every ten events are notes, the others aftertouch on all channels and clock pulses."""
    for n in count():
        pair = n * notes // 10
        if (n + 1) * notes // 10 > pair:
            pitch = LOW + pair // 2 % N_PITCHES
            yield bytes((NOTE_OFF if pair % 2 else NOTE_ON, pitch, 0 if pair % 2 else 80))
        else:
            yield PULSE if n % 2 else bytes((AFTERTOUCH | n // 2 % 16, n % 128))


def flood(seconds: float, rate: float = 10_000, notes: int = 2) -> Flooded:
    """Plays so long with so many events a second, on the JACK server that this process finds; on a machine too slow for
    so many a second, longer."""
    with stage.settings() as chosen, stage.jam(chosen) as jam:
        engine, listener = jam.engine, jam.listener
        sender = _Sender(jam.keyboard, engine, notes)
        threading.Thread(target=sender.send, args=(seconds, rate)).start()
        news = _News()
        while not sender.done:
            listener.listen()
            news.take_in(engine)
            time.sleep(0.02)
        late = Vitals.of(engine.pid)
        time.sleep(SETTLED_SECONDS)
        status = engine.close(CLOSE_SECONDS)
        news.take_in(engine)
        kept = sum(note.track == 1 for note in read_score(Path(str(chosen.take))).notes)
        sounding = listener.sounding
    return Flooded(
        sender.sent, sender.sent / sender.took, sender.sysex, news.missed, news.lateness, sender.early, late,
        sender.notes, news.heard, kept, len(sounding), status,
    )  # fmt: skip


class _News:
    """What the engine has said: notes of the player, ticks missed, the worst lateness in milliseconds."""

    def __init__(self) -> None:
        self.heard = self.missed = 0
        self.lateness = 0.0

    def take_in(self, engine: EngineProcess) -> None:
        for report in engine.new_reports():
            match report:
                case Status(state="playing", missed=missed, lateness_ms=lateness):
                    self.missed, self.lateness = missed, max(self.lateness, lateness)
                case Sounded(part="player", velocity=velocity):
                    self.heard += velocity > 0


class _Sender:
    """Plays the flood from a thread of its own, which like a real keyboard waits for no busy program."""

    def __init__(self, keyboard: Any, engine: EngineProcess, notes: int) -> None:
        self._keyboard, self._engine, self._events = keyboard, engine, events(notes)
        self.sent = self.sysex = self.notes = self._ended = 0
        self.took = 0.0
        self.early = Vitals.of(engine.pid)
        self.done = False

    def send(self, seconds: float, rate: float) -> None:
        """Plays what so many seconds hold."""
        ask_for_realtime(BESIDE)
        start, looked, total = time.perf_counter(), 0, round(seconds * rate)
        while self.sent < total:
            while self.sent < min((time.perf_counter() - start) * rate, total):
                self._send_one(next(self._events))
            if looked < total / 6 <= self.sent:
                self.early = Vitals.of(self._engine.pid)
            looked = self.sent
            time.sleep(BATCH_SECONDS)
        while self.notes > self._ended:
            self._send_one(next(self._events))
        self.took, self.done = time.perf_counter() - start, True

    def _send_one(self, event: bytes) -> None:
        self._keyboard.send_message(event)
        self.sent += 1
        self.notes += event[0] == NOTE_ON
        self._ended += event[0] == NOTE_OFF
        if self.sent % SYSEX_EVERY == 0:
            self._keyboard.send_message(SYSEX)
            self.sysex += len(SYSEX)

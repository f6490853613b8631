"""Far more than anybody can play, at the real port of a real engine: what becomes of the beat, the memory, the take."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from improv.bench import stage
from improv.bench.jack_server import PATIENT, jack_is_installed, jack_server
from improv.bench.result import Result, at_least, at_most
from improv.bench.sender import sending
from improv.bench.vitals import Vitals, growth
from improv.errors import ImprovError
from improv.live.messages import Sounded, Status
from improv.live.priority import realtime_is_permitted
from improv.live.process import EngineProcess
from improv.music.midifile import read_score

PERIOD = 64  # samples a cycle of JACK
EARLY = 1 / 6  # of the time, after which what the engine holds should grow no more
FULL = 0.99  # of the events that were to be sent, sent
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


def flood(seconds: float = 60.0, rate: float = 10_000, notes: int = 2) -> Iterator[Result]:
    """Figures of a flood of `rate` events a second for so long, `notes` of every ten of them notes; see Flooded.

    Raises:
        ImprovError: JACK or the partner does not play, or the engine failed.
    """
    if not jack_is_installed():
        print("no flood is measured: there is no JACK here", file=sys.stderr)
        return
    with jack_server(PERIOD, *PATIENT, realtime=realtime_is_permitted()):
        flooded = pour(seconds, rate, notes)
    yield from _results(flooded, f"flood of {rate:,.0f} events/s for {seconds:g} s", rate)
    if flooded.status:
        raise ImprovError(f"the engine failed in the flood, with exit status {flooded.status}")


def _results(it: Flooded, name: str, rate: float) -> Iterator[Result]:
    yield Result(f"{name}, sent", it.rate, "events/s", bar=at_least(FULL * rate))
    yield Result(f"{name}, sysex besides", it.sysex * it.rate / it.sent / 1000, "kB/s")
    yield Result(f"{name}, ticks missed", it.missed, "ticks", bar=at_most(0))
    yield Result(f"{name}, worst tick late", it.lateness, "ms")
    yield from growth(name, it.early, it.late)
    yield Result(f"{name}, notes played", it.notes, "notes")
    yield Result(f"{name}, notes that reached the engine", it.heard, "notes", bar=at_least(it.notes))
    yield Result(f"{name}, notes kept in the take", it.kept, "notes", bar=at_least(it.notes))
    yield Result(f"{name}, notes left sounding", it.sounding, "notes", bar=at_most(0))


def pour(seconds: float, rate: float, notes: int) -> Flooded:
    """Plays so long with so many events a second, on the JACK server that this process finds.

    Raises:
        ImprovError: the partner does not play, or has ended before its time.
    """
    with stage.settings() as chosen, stage.jam(chosen) as jam:
        news, early = _News(), Vitals.of(jam.engine.pid)
        with sending(jam.keyboard, notes, seconds, rate) as sender:
            while sender.is_alive():
                jam.listener.listen()
                news.take_in(jam.engine)
                if sender.share < EARLY:
                    early = Vitals.of(jam.engine.pid)
                time.sleep(0.02)
        late = Vitals.of(jam.engine.pid)
        time.sleep(SETTLED_SECONDS)
        status = jam.engine.close(CLOSE_SECONDS)
        news.take_in(jam.engine)
        kept = sum(note.track == 1 for note in read_score(Path(str(chosen.take))).notes)
        sounding = jam.listener.sounding
    return Flooded(
        sender.sent, sender.sent / sender.took, sender.sysex, news.missed, news.lateness, early, late,
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

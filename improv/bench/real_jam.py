"""Real minutes of jamming: an engine in its own process, a musician and a listener at its ports."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from improv.bench import stage
from improv.bench.jack_server import PATIENT, RATE, jack_server
from improv.bench.musician import musician
from improv.bench.result import Result, at_least, at_most
from improv.bench.vitals import Vitals, growth
from improv.errors import ImprovError
from improv.live.messages import Problem, SetMode, Status
from improv.live.outputs import CONTROL, NOTE_OFF, NOTE_ON, SUSTAIN
from improv.live.priority import realtime_is_permitted

PERIOD = 64  # samples a cycle of JACK
SOLO_SHARE = 1 / 20  # of the time, at both ends: the notes of a solo say where the grid is
FRAME = 0.125  # seconds, of the bundled model at 120 BPM
LOOKS = 10  # at what the engine holds, at equal distances
ENOUGH = 20  # notes and their ends, by which a grid is known
SETTLED_SECONDS = 3.0  # after which no answer to the player comes any more
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Jammed:
    """What became of it.

    Attributes:
        early, late: what the engine held after a tenth of the time with a player, and at its end.
        struck, sounding: notes of the partner that began, and that were left sounding.
        drift: seconds by which the grid of the last solo is away from that of the first.
        missed: ticks without an answer.
        lateness: of the worst tick, in milliseconds.
        problems: what the engine reported to be wrong.
        status: with which the engine ended.
    """

    early: Vitals
    late: Vitals
    struck: int
    sounding: int
    drift: float
    missed: int
    lateness: float
    problems: tuple[str, ...]
    status: int


def real_jam(minutes: float) -> Iterator[Result]:
    """Figures of so many real minutes on a JACK server of their own.

    Raises:
        ImprovError: JACK or the partner does not play, or the engine failed.
    """
    with jack_server(PERIOD, *PATIENT, realtime=realtime_is_permitted()):
        it = jam(60 * minutes)
    name = f"{minutes:g} real minutes"
    yield from growth(name, it.early, it.late)
    yield Result(f"{name}, notes of the partner", it.struck, "notes", bar=at_least(1))
    yield Result(f"{name}, notes left sounding", it.sounding, "notes", bar=at_most(0))
    # The listener knows every note to a cycle of JACK.
    yield Result(f"{name}, last solo's grid off the first's", 1000 * it.drift, "ms", bar=at_most(1000 * PERIOD / RATE))
    yield Result(f"{name}, worst tick late", it.lateness, "ms")
    yield Result(f"{name}, ticks missed", it.missed, "ticks", bar=at_most(0))
    yield Result(f"{name}, problems", len(it.problems), "problems", bar=at_most(0))
    if it.status:
        raise ImprovError(f"the engine failed in the soak, with exit status {it.status}")


def jam(seconds: float) -> Jammed:
    """Plays so long on the JACK server that this process finds: solo, with a player, and solo again."""
    solo = SOLO_SHARE * seconds
    with stage.settings(mode="solo") as chosen, stage.jam(chosen) as played:
        watch = _Watch(played)
        watch.listen(solo)
        n_before = len(played.listener.notes())
        played.engine.send(SetMode("duet"))
        vitals = _with_a_player(watch, seconds - 2 * solo)
        played.engine.send(SetMode("solo"))
        watch.wait(SETTLED_SECONDS)
        n_after = len(played.listener.notes())
        watch.listen(solo)
        status = played.engine.close()
        notes, sounding = played.listener.notes(), played.listener.sounding
    first, last = (_onsets(part) for part in (notes[:n_before], notes[n_after:]))
    struck = sum(velocity > 0 for _, _, velocity in notes)
    return Jammed(
        vitals[0], vitals[-1], struck, len(sounding), drifted(first, last), watch.missed, watch.lateness,
        tuple(watch.problems), status,
    )  # fmt: skip


def _with_a_player(watch: _Watch, seconds: float) -> list[Vitals]:
    """Lets the musician play along so long; what the engine held meanwhile."""
    over, vitals = threading.Event(), list[Vitals]()
    playing = threading.Thread(target=_play, args=(watch.jam.keyboard, seconds, over))
    playing.start()
    try:
        for _ in range(LOOKS):
            watch.wait(seconds / LOOKS)
            vitals.append(Vitals.of(watch.jam.engine.pid))
    finally:  # what it plays on must be there so long
        over.set()
        playing.join()
    return vitals


class _Watch:
    """Hears both the engine and what it plays, so that nothing piles up on this side.

    Attributes:
        missed, lateness: ticks missed so far, and the worst lateness in milliseconds.
        problems: what the engine reported to be wrong.
    """

    def __init__(self, jam: stage.Jam) -> None:
        self.jam = jam
        self.missed, self.lateness = 0, 0.0
        self.problems: list[str] = []

    def listen(self, seconds: float) -> None:
        """Takes in what comes for so long, and on a slow machine until some notes have come."""
        before, deadline = len(self.jam.listener.notes()), time.perf_counter() + stage.LOAD_SECONDS
        self.wait(seconds)
        while len(self.jam.listener.notes()) < before + ENOUGH and time.perf_counter() < deadline:
            self.wait(POLL_SECONDS)

    def wait(self, seconds: float) -> None:
        """Takes in what comes for so long."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            self.jam.listener.listen()
            for report in self.jam.engine.new_reports():
                match report:
                    case Status(state="playing", missed=missed, lateness_ms=lateness):
                        self.missed, self.lateness = missed, max(self.lateness, lateness)
                    case Problem(text):
                        self.problems.append(text)
            time.sleep(POLL_SECONDS)


def _play(keyboard: Any, seconds: float, over: threading.Event) -> None:
    """A musician's part, in real time, for so long or until it is over; then every key is let go and the pedal."""
    start, down = time.perf_counter(), set[int]()
    for at, message in musician():
        if at > seconds or over.wait(max(0.0, start + at - time.perf_counter())):
            break
        keyboard.send_message(list(message))
        if message[0] in (NOTE_ON, NOTE_OFF):
            (down.add if message[0] == NOTE_ON else down.discard)(message[1])
    for end in [(NOTE_OFF, pitch, 0) for pitch in down] + [(CONTROL, SUSTAIN, 0)]:
        keyboard.send_message(list(end))


def _onsets(notes: list[tuple[float, int, int]]) -> NDArray[np.float64]:
    return np.array([at for at, _, velocity in notes if velocity])


def drifted(first: NDArray[np.float64], last: NDArray[np.float64]) -> float:
    """Seconds between the grids of two groups of onsets, half a frame at most.

    Raises:
        ImprovError: in one of them there is no note.
    """
    if not len(first) or not len(last):
        raise ImprovError("the partner played no note in a solo")
    phases = [np.angle(np.exp(2j * np.pi * onsets / FRAME).mean()) / (2 * np.pi) * FRAME for onsets in (first, last)]
    return float(abs((phases[1] - phases[0] + FRAME / 2) % FRAME - FRAME / 2))

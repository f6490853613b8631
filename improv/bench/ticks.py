"""The live loop: how late the partner's notes are, how soon it answers, and that it never drifts."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial

import numpy as np
from numpy.typing import NDArray

from improv.bench import stage
from improv.bench.drift import drift
from improv.bench.instant import instant
from improv.bench.jack_server import PATIENT, RATE, jack_is_installed, jack_server
from improv.bench.listener import Listener, lateness
from improv.bench.overheard import Overheard
from improv.bench.parts import all_parts
from improv.bench.result import Bar, Result, at_most
from improv.errors import ImprovError
from improv.live.messages import Report, Sounded, Status
from improv.live.priority import realtime_is_permitted
from improv.live.process import EngineProcess

PERIOD = 64  # samples a cycle of JACK
PERIOD_MS = 1000 * PERIOD / RATE
TEMPO = 300.0  # BPM
FRAME = 0.25 * 60 / TEMPO  # seconds, of the bundled model
POLL_SECONDS = 0.2
ROUNDING = 1e-6  # of a frame, by which a tick may seem to come early


def ticks(n_ticks: int = 2000, n_notes: int = 200, hours: float = 10.0) -> Iterator[Result]:
    """Figures of the live loop with the bundled model.

    Args:
        n_ticks: at 300 BPM over which lateness is measured, beside nothing and beside busy cores.
        n_notes: to be answered at once.
        hours: simulated ones, over which drift is measured.

    Raises:
        ImprovError: in the end, where JACK or the partner did not play in a part.
    """
    late = _at_the_listener if jack_is_installed() else _at_the_loop
    yield from all_parts(
        {
            "idle": partial(late, False, n_ticks),
            "busy": partial(late, True, n_ticks),
            "instant": partial(_instant, n_notes),
            "drift": partial(drift, hours),
        }
    )


def _instant(n_notes: int) -> Iterator[Result]:
    if jack_is_installed():
        yield from instant(n_notes)
    else:
        print("how soon it answers a note is not measured: there is no JACK here", file=sys.stderr)


def _at_the_listener(busy: bool, n_ticks: int) -> Iterator[Result]:
    """Lateness as another program on JACK has it, beyond the cycle for which it must wait at most."""
    panel = busy and stage.panel_can_open()
    realtime = realtime_is_permitted()
    with ExitStack() as stack:
        stack.enter_context(jack_server(PERIOD, *PATIENT, realtime=realtime))
        chosen = stack.enter_context(stage.settings(mode="solo", tempo=TEMPO))
        listener = Listener()
        stack.callback(listener.close)
        stack.enter_context(stage.busy_cores() if busy else nullcontext())
        player: AbstractContextManager[EngineProcess | Overheard] = (
            stage.panel(chosen) if panel else stage.engine(chosen)
        )
        engine = stack.enter_context(player)
        listener.attach("improv:out")
        onsets = _onsets(listener, n_ticks * FRAME)
        reports = list(engine.new_reports())
    beyond = np.maximum(0.0, 1000 * lateness(onsets, FRAME) - PERIOD_MS)
    where = f"{_company(busy, panel)}, {n_ticks:,} ticks"
    name = f"note late beyond a JACK cycle of {PERIOD} frames ({PERIOD_MS:.2f} ms), {where}"
    yield from _percentiles(name, beyond, _bar(busy, panel and realtime))
    yield from _of_the_engine(where, reports)


def _at_the_loop(busy: bool, n_ticks: int) -> Iterator[Result]:
    """Lateness by the engine's own clock, where there is no JACK to ask another program."""
    with (
        stage.settings(mode="solo", tempo=TEMPO, outputs=[]) as chosen,
        stage.busy_cores() if busy else nullcontext(),
        stage.engine(chosen) as engine,
    ):
        stage.wait_until_playing(engine)
        time.sleep(n_ticks * FRAME)
        reports = list(engine.new_reports())
    yield from _of_the_engine(f"{_company(busy, False)}, {n_ticks:,} ticks, no jackd here", reports)


def _of_the_engine(where: str, reports: list[Report]) -> Iterator[Result]:
    """What the engine says itself: a lateness that never varies, to which a listener is blind, is in it."""
    beats = [note.beat for note in reports if isinstance(note, Sounded) and note.part == "partner" and note.velocity]
    frames = _heard(beats) * 60 / TEMPO / FRAME
    late = 1000 * FRAME * np.maximum(0.0, frames - np.floor(frames + ROUNDING))
    said = [report for report in reports if isinstance(report, Status) and report.state == "playing"]
    yield Result(f"engine late after its own grid, {where}, p99 of its notes", float(np.percentile(late, 99)), "ms")
    worst = max((report.lateness_ms for report in said), default=0.0)
    yield Result(f"engine late after its own grid, {where}, worst tick", worst, "ms")
    yield Result(f"ticks missed, {where}", max((report.missed for report in said), default=0), "ticks")


def _bar(busy: bool, as_demanded: bool) -> Bar | None:
    """At most so many milliseconds at the 99th percentile; with busy cores only under realtime priority and a panel."""
    if busy:
        return at_most(2.0) if as_demanded else None
    return at_most(1.0)


def _onsets(listener: Listener, seconds: float) -> NDArray[np.float64]:
    """The moments at which notes begin, over so many seconds from the first one on."""
    deadline = time.monotonic() + stage.LOAD_SECONDS
    begun = False
    while time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        if not begun and listener.notes():
            begun, deadline = True, time.monotonic() + seconds
        listener.listen()
    return _heard([at for at, _, velocity in listener.notes() if velocity])


def _heard(moments: list[float]) -> NDArray[np.float64]:
    if not moments:
        raise ImprovError("the partner did not play: look what `improv play` says here")
    return np.array(moments)


def _company(busy: bool, panel: bool) -> str:
    priority = "realtime" if realtime_is_permitted() else "normal"
    if not busy:
        return f"{priority}, nothing beside it"
    return f"{priority}, all cores busy, {'panel painting' if panel else 'no panel'}"


def _percentiles(name: str, ms: NDArray[np.float64], bar: Bar | None) -> Iterator[Result]:
    """The median, the 99th percentile, of which `bar` is demanded, and the worst."""
    yield Result(f"{name}, p50", float(np.median(ms)), "ms")
    yield Result(f"{name}, p99", float(np.percentile(ms, 99)), "ms", bar=bar)
    yield Result(f"{name}, max", float(ms.max()), "ms")

"""The live loop: how late the partner's notes are, how soon it answers, and that it never drifts."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext

import numpy as np
from numpy.typing import NDArray

from improv.bench import stage
from improv.bench.drift import drift
from improv.bench.instant import instant
from improv.bench.jack_server import PATIENT, RATE, jack_is_installed, jack_server
from improv.bench.listener import Listener, lateness
from improv.bench.result import Result
from improv.errors import ImprovError
from improv.live.messages import Report, Sounded, Status
from improv.live.priority import realtime_is_permitted

PERIOD = 64  # samples a cycle of JACK
PERIOD_MS = 1000 * PERIOD / RATE
TEMPO = 300.0  # BPM
FRAME = 0.25 * 60 / TEMPO  # seconds, of the bundled model
POLL_SECONDS = 0.2


def ticks(n_ticks: int = 400, n_notes: int = 60, hours: float = 10.0) -> Iterator[Result]:
    """Figures of the live loop with the bundled model.

    Args:
        n_ticks: at 300 BPM over which lateness is measured, beside nothing and beside busy cores.
        n_notes: to be answered at once.
        hours: simulated ones, over which drift is measured.

    Raises:
        ImprovError: JACK or the partner does not play.
    """
    for busy in (False, True):
        yield from _at_the_listener(busy, n_ticks) if jack_is_installed() else _at_the_loop(busy, n_ticks)
    if jack_is_installed():
        yield from instant(n_notes)
    else:
        print("how soon it answers a note is not measured: there is no JACK here", file=sys.stderr)
    yield from drift(hours)


def _at_the_listener(busy: bool, n_ticks: int) -> Iterator[Result]:
    """Lateness as another program on JACK has it, with the cycle of JACK for which it must wait at most."""
    panel = busy and stage.panel_can_open()
    realtime = realtime_is_permitted()
    with ExitStack() as stack:
        stack.enter_context(jack_server(PERIOD, *PATIENT, realtime=realtime))
        chosen = stack.enter_context(stage.settings(mode="solo", tempo=TEMPO))
        listener = Listener()
        stack.callback(listener.close)
        stack.enter_context(stage.busy_cores() if busy else nullcontext())
        engine = stack.enter_context(stage.panel(chosen) if panel else stage.engine(chosen))
        listener.attach("improv:out")
        onsets = _onsets(listener, n_ticks * FRAME)
        missed = _missed(list(engine.new_reports())) if engine is not None else None
    late = 1000 * lateness(onsets, FRAME)
    where = f"{'realtime' if realtime else 'normal'}, {_company(busy, panel)}"
    yield from _percentiles(f"partner late, {where}", late, PERIOD_MS, "a JACK cycle, which is in it")
    if missed is not None:  # the panel keeps its engine's reports to itself
        yield Result(f"ticks missed, {where}", missed, "ticks")


def _at_the_loop(busy: bool, n_ticks: int) -> Iterator[Result]:
    """Lateness by the engine's own clock, where there is no JACK to ask another program."""
    with (
        stage.settings(mode="solo", tempo=TEMPO, outputs=[]) as chosen,
        stage.busy_cores() if busy else nullcontext(),
        stage.engine(chosen) as engine,
    ):
        beats: list[float] = []
        missed = 0
        deadline = time.monotonic() + stage.LOAD_SECONDS
        while time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
            reports = list(engine.new_reports())
            missed = max(missed, _missed(reports))
            for report in reports:
                if isinstance(report, Sounded) and report.velocity:
                    deadline = deadline if beats else time.monotonic() + n_ticks * FRAME
                    beats.append(report.beat)
    off = _heard(beats) * 60 / TEMPO
    late = 1000 * (off - np.floor(off / FRAME) * FRAME)
    priority = "realtime" if realtime_is_permitted() else "normal"
    where = f"at the loop (no jackd here), {priority}, {_company(busy, False)}"
    yield from _percentiles(f"partner late, {where}", late)
    yield Result(f"ticks missed, {where}", missed, "ticks")


def _onsets(listener: Listener, seconds: float) -> NDArray[np.float64]:
    """The moments at which notes begin, over so many seconds from the first one on."""
    deadline = time.monotonic() + stage.LOAD_SECONDS
    begun = False
    while time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        if not begun and listener.notes():
            begun, deadline = True, time.monotonic() + seconds
    return _heard([at for at, _, velocity in listener.notes() if velocity])


def _heard(moments: list[float]) -> NDArray[np.float64]:
    if not moments:
        raise ImprovError("the partner did not play: look what `improv play` says here")
    return np.array(moments)


def _missed(reports: list[Report]) -> int:
    """Ticks that have come without an answer, as far as the reports say."""
    return max((report.missed for report in reports if isinstance(report, Status)), default=0)


def _company(busy: bool, panel: bool) -> str:
    if not busy:
        return "nothing beside it"
    return "all cores busy, panel painting" if panel else "all cores busy, no panel"


def _percentiles(
    name: str, ms: NDArray[np.float64], reference: float | None = None, reference_name: str = ""
) -> Iterator[Result]:
    for label, value in (("p50", np.median(ms)), ("p99", np.percentile(ms, 99)), ("max", ms.max())):
        yield Result(f"{name}, {label}", float(value), "ms", reference, reference_name)

"""Whether anything piles up: hours of jamming on a virtual clock, then real minutes."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from improv.bench.drift import ROUNDING_MS
from improv.bench.jack_server import jack_is_installed
from improv.bench.parts import all_parts
from improv.bench.real_jam import real_jam
from improv.bench.result import Result, at_least, at_most
from improv.bench.virtual_jam import State, VirtualJam
from improv.bench.vitals import growth
from improv.music.midifile import read_score
from improv.resources import bundled_model


def soak(hours: float = 8.0, minutes: float = 10.0, model: Path | None = None) -> Iterator[Result]:
    """Figures of so many simulated hours and so many real minutes; the hours with the bundled model or another.

    Raises:
        ImprovError: in the end, where one of the two could not be played.
    """
    parts = {"simulated": partial(_simulated, hours, model or bundled_model()), "real": partial(_real, minutes)}
    yield from all_parts(parts)


def _simulated(hours: float, model: Path) -> Iterator[Result]:
    with tempfile.TemporaryDirectory() as folder:
        take = Path(folder, "take.mid")
        states = VirtualJam(model, take, hours, tell=partial(_tell, hours)).run()
        kept = sum(note.track == 2 for note in read_score(take).notes)
    yield from results(f"{hours:g} simulated hours", states, kept)


def results(name: str, states: list[State], kept: int) -> Iterator[Result]:
    """Figures of a virtual jam: two states at least, the last of them after its end, and notes `kept` in the take."""
    end = states[-1]
    yield from growth(name, states[0].vitals, states[-2].vitals)
    yield Result(f"{name}, notes of the partner", end.struck, "notes", bar=at_least(1))
    yield Result(f"{name}, notes of the partner kept in the take", kept, "notes", bar=at_least(end.struck))
    yield Result(f"{name}, notes left sounding", end.sounding, "notes", bar=at_most(0))
    yield Result(f"{name}, worst distance from the grid", 1000 * end.off, "ms", bar=at_most(ROUNDING_MS))
    yield Result(f"{name}, ticks missed", end.missed, "ticks", bar=at_most(0))
    yield Result(f"{name}, problems", len(end.problems), "problems", bar=at_most(0))


def _tell(hours: float, state: State) -> None:
    """Says how far it is: this takes long."""
    print(f"soak: {state.seconds / 3600:.2g} of {hours:g} hours", file=sys.stderr, flush=True)


def _real(minutes: float) -> Iterator[Result]:
    if jack_is_installed():
        yield from real_jam(minutes)
    else:
        print("no real minutes are measured: there is no JACK here", file=sys.stderr)

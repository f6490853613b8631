"""Whether the beat drifts: hours of ticks as a performance plays them, beside exact arithmetic."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from improv.bench.result import Result, at_most
from improv.knobs import TEMPO, Controls
from improv.live.clock import Timeline
from improv.live.jobs import Answer, Loaded, Think
from improv.live.modes import MODES
from improv.live.performance import Hand, Performance
from improv.music.pianoroll import LOW, N_PITCHES, silence

MODEL = Loaded("", 0.25, LOW, N_PITCHES, "", "")
STEADY_SECONDS = 60.0  # at most between two changes of tempo
ROUNDING_MS = 0.001  # what the arithmetic of floats may do to a tick, which is no drift


def drift(hours: float = 10.0) -> Iterator[Result]:
    """How far the worst tick of so many simulated hours is from where it should be."""
    off, n_ticks = worst_tick(hours)
    name = f"drift, {hours:g} simulated hours, {n_ticks} ticks, the tempo changing twice a minute"
    yield Result(name, 1000 * off, "ms", bar=at_most(ROUNDING_MS))


def worst_tick(hours: float, tempos: tuple[float, ...] | None = None, seed: int = 0) -> tuple[float, int]:
    """By how many seconds any tick missed its moment, at most, and how many ticks there were.

    The tempo changes at any moment to one of `tempos`, in BPM, or where None to any at all.
    """
    chance = random.Random(seed)

    def draw() -> float:
        return chance.uniform(TEMPO.low, TEMPO.high) if tempos is None else chance.choice(tempos)

    performance, asked = _performance(Timeline(0.0, first := draw()))
    exact, change = _Exact(Fraction(0), Fraction(0), Fraction(first)), chance.uniform(0, STEADY_SECONDS)
    now, n_ticks, worst = 0.0, 0, 0.0
    while now < 3600 * hours:
        beat = performance.next_beat
        now = min(performance.due(), change)
        if now == change:
            tempo, change = draw(), now + chance.uniform(0, STEADY_SECONDS)
            performance.timeline.set_tempo(tempo, now)
            exact = exact.changed(now, tempo)
        elif performance.advance(now) is not None:
            worst, n_ticks = max(worst, abs(now - exact.seconds_at(beat))), n_ticks + 1
        while asked:
            performance.answered(Answer(1, asked.popleft().number, silence(), 0.001, "", 1), now)
    return worst, n_ticks


@dataclass(frozen=True)
class _Exact:
    """What Timeline should say, without any rounding: from `start` seconds and `beat` on, the tempo in BPM."""

    start: Fraction
    beat: Fraction
    tempo: Fraction

    def changed(self, seconds: float, tempo: float) -> _Exact:
        beat = self.beat + (Fraction(seconds) - self.start) * self.tempo / 60
        # Two digits more than a float has; unlimited, every change would make the numbers longer.
        return _Exact(Fraction(seconds), beat.limit_denominator(10**18), Fraction(tempo))

    def seconds_at(self, beat: float) -> float:
        return float(self.start + (Fraction(beat) - self.beat) * 60 / self.tempo)


def _performance(timeline: Timeline) -> tuple[Performance, deque[Think]]:
    asked: deque[Think] = deque()
    hand = Hand(MODES["solo"], Controls())
    return Performance(1, MODEL, timeline, 0.0, 4.0, asked.append, lambda *_: None, lambda: hand), asked

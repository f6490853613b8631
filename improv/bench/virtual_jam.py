"""Hours of jamming on a virtual clock: the engine, the improviser and the take are real, the player is a musician."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from improv.bench.musician import musician
from improv.bench.vitals import Vitals
from improv.live.clock import VirtualClock
from improv.live.engine import Engine
from improv.live.inputs import Arrived
from improv.live.messages import Play, Problem, Quit, Report, SetMode, Status
from improv.live.outputs import NOTE_OFF, NOTE_ON, Outputs
from improv.live.process import Settings
from improv.live.thinker import InlineThinker
from improv.live.transport import START_SECONDS

TEMPO, GRID = 117.0, 0.25  # its frames are no round number of seconds
FRAME = GRID * 60 / TEMPO
MODES = ("duet", "duet", "trade", "solo")  # minute by minute
AHEAD = 0.5  # seconds of the player's part that wait in the inbox
EDGE = 1.0  # seconds at both ends of a solo in which the other modes may still answer off the grid


@dataclass(frozen=True)
class State:
    """Where a virtual jam stands.

    Attributes:
        seconds: of music so far.
        vitals: of this process.
        struck: notes the partner has begun.
        sounding: notes of the partner that sound now.
        off: seconds that any note of a solo was away from its tick, at most.
        missed: ticks without an answer.
        problems: what was reported to be wrong.
    """

    seconds: float
    vitals: Vitals
    struck: int
    sounding: int
    off: float
    missed: int
    problems: tuple[str, ...]


class Ear:
    """An output that knows what sounds, and how far from their ticks the notes of the solos are."""

    connected = True

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.sounding: set[int] = set()
        self.struck, self.off = 0, 0.0

    def send(self, message: bytes) -> None:
        """See Output."""
        if message[0] == NOTE_ON:
            self.struck += 1
            self.sounding.add(message[1])
            self._compare(self._clock.now())
        elif message[0] == NOTE_OFF:
            self.sounding.discard(message[1])

    def close(self) -> None:
        """See Output."""

    def _compare(self, now: float) -> None:
        minute, second = divmod(now, 60)
        if MODES[int(minute) % len(MODES)] == "solo" and EDGE < second < 60 - EDGE:
            frames = (now - START_SECONDS) / FRAME
            self.off = max(self.off, abs(frames - round(frames)) * FRAME)


class Silent:
    """An input at which nothing arrives: the player's part is put into the inbox."""

    def set(self, name: str) -> None:
        """See Input."""

    def states(self) -> dict[str, bool]:
        """See Input."""
        return {}


class VirtualJam:
    """A jam of `hours`, told of by `n_states` states at equal distances, and one once it is over.

    `tell` is called with each state as it comes.
    """

    def __init__(
        self,
        model: Path,
        take: Path,
        hours: float,
        n_states: int = 12,
        tell: Callable[[State], object] = lambda _: None,
    ) -> None:
        self.clock = VirtualClock()
        self._ear = Ear(self.clock)
        self._states: list[State] = []
        self._tell = tell
        self._seconds, self._n_states = 3600 * hours, n_states
        self._player = musician()
        self._coming = next(self._player)  # the first of its events that is not yet in the inbox
        self._missed, self._problems = 0, list[str]()
        settings = Settings(str(model), outputs=["virtual"], seed=1, take=str(take))
        settings.knobs["tempo"] = TEMPO
        outputs = Outputs(lambda _: self._ear, self.clock.inbox, lambda function: function())
        thinker = InlineThinker(self.clock.inbox)
        self._engine = Engine(settings, self.clock, thinker, outputs, Silent(), self._hear)

    def run(self) -> list[State]:
        """Plays it all."""
        self.clock.put(Play())
        for minute in range(int(self._seconds / 60) + 1):
            self.clock.put(SetMode(MODES[minute % len(MODES)]), 60 * minute)
        self.clock.put(Quit(), self._seconds)
        self._engine.run()
        self._stand()
        return self._states

    def _hear(self, report: Report) -> None:
        match report:
            case Problem(text):
                self._problems.append(text)
            case Status(state="playing", missed=missed):
                self._missed = missed
                self._write_on()
                if self.clock.now() >= (len(self._states) + 1) * self._seconds / (self._n_states + 1):
                    self._stand()

    def _write_on(self) -> None:
        """Puts what the player does next into the inbox."""
        while self._coming[0] < self.clock.now() + AHEAD:
            at, message = self._coming
            self.clock.put(Arrived(at, message), at)
            self._coming = next(self._player)

    def _stand(self) -> None:
        ear, problems = self._ear, tuple(self._problems)
        state = State(self.clock.now(), Vitals.of(), ear.struck, len(ear.sounding), ear.off, self._missed, problems)
        self._states.append(state)
        self._tell(state)

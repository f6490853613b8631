"""An engine on a virtual clock: hours of music in seconds, every message with its exact time."""

from pathlib import Path

from improv.live.clock import VirtualClock
from improv.live.engine import Engine
from improv.live.inputs import Arrived
from improv.live.messages import Command, Play, Quit, Report, Status
from improv.live.outputs import Outputs
from improv.live.process import Settings
from improv.live.thinker import InlineThinker

STARTED = 0.05  # Play is obeyed at 0; beat 0 comes so many seconds later


class Tape:
    """An output that keeps what was sent, with its time."""

    connected = True

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.messages: list[tuple[float, bytes]] = []
        self.closed = False

    def send(self, message: bytes) -> None:
        self.messages.append((self._clock.now(), message))

    def close(self) -> None:
        self.closed = True

    @property
    def notes(self) -> list[tuple[float, int, int]]:
        """(time, pitch, velocity) of every note message; velocity 0 ends a note."""
        kept = [
            (at, m[1], m[2] if m[0] & 0xF0 == 0x90 else 0) for at, m in self.messages if m[0] & 0xF0 in (0x80, 0x90)
        ]
        return [(round(at, 9), pitch, velocity) for at, pitch, velocity in kept]


class Nobody:
    """No port is listened to: what the player does is put into the inbox."""

    def set(self, name: str) -> None: ...

    def states(self) -> dict[str, bool]:
        return {}


class Sleep:
    """Put into the inbox, it takes the clock with it, as a suspended machine would."""


class Studio:
    """An engine whose player is a script."""

    def __init__(self, model: Path, take: Path, play: bool = True, **settings: object) -> None:
        self.clock = VirtualClock()
        self.tapes: dict[str, Tape] = {}
        self.reports: list[Report] = []
        self.take = take
        chosen = {"outputs": ["virtual"], "seed": 1, "take": str(take), **settings}
        outputs = Outputs(self._open, self.clock.inbox, lambda function: function())
        self.engine = Engine(
            Settings(model=str(model), **chosen),  # type: ignore[arg-type]
            self.clock,
            InlineThinker(self.clock.inbox),
            outputs,
            Nobody(),
            self.reports.append,
        )
        if play:
            self.at(0.0, Play())

    def _open(self, name: str) -> Tape:
        self.tapes[name] = Tape(self.clock)
        return self.tapes[name]

    def at(self, seconds: float, command: Command) -> None:
        """The panel says `command` then."""
        self.clock.put(command, seconds)

    def note(self, seconds: float, pitch: int, velocity: int = 80, until: float | None = None) -> None:
        """The player strikes a key, and lets it go at `until`."""
        self.midi(seconds, [0x90, pitch, velocity])
        if until is not None:
            self.midi(until, [0x80, pitch, 0])

    def midi(self, seconds: float, message: list[int]) -> None:
        """A message arrives from the keyboard."""
        self.clock.put(Arrived(seconds, bytes(message)), seconds)

    def suspend(self, seconds: float, minutes: float) -> None:
        """The machine sleeps for so long, which the clock does not."""
        handle = self.engine._handle

        def handle_or_sleep(item: object) -> None:
            if isinstance(item, Sleep):
                self.clock._now += 60 * minutes
            else:
                handle(item)

        self.engine._handle = handle_or_sleep  # type: ignore[method-assign]
        self.clock.put(Sleep(), seconds)

    def run(self, seconds: float) -> None:
        """Plays so long and quits."""
        self.at(seconds, Quit())
        self.engine.run()

    @property
    def partner(self) -> list[tuple[float, int, int]]:
        """The partner's notes, (time, pitch, velocity)."""
        return self.tapes["virtual"].notes

    def status(self) -> Status:
        """The last status."""
        return next(report for report in reversed(self.reports) if isinstance(report, Status))


def sounding_after(notes: list[tuple[float, int, int]]) -> set[int]:
    """The pitches that a listener would still hear."""
    sounding: set[int] = set()
    for _, pitch, velocity in notes:
        (sounding.add if velocity else sounding.discard)(pitch)
    return sounding

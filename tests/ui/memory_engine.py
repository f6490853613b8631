"""An engine in memory: it keeps the commands it is sent and says what a test has it say."""

from collections.abc import Iterator

from improv.live.messages import Command, Report, Status
from improv.live.process import Settings

KNOBS = {"tempo": 120.0, "temperature": 1.0, "k": 200.0}


class MemoryEngine:
    """What the panel sees of an EngineProcess."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.sent: list[Command] = []
        self.ended = False
        self.closed = False
        self.exit_status = 0
        self._reports: list[Report] = []

    def say(self, *reports: Report) -> None:
        """Have the panel find these at its next poll."""
        self._reports += reports

    def stand(self, state: str, beat: float = 0.0, **values: object) -> None:
        """Report a Status."""
        self.say(Status(state, beat, **{"knobs": dict(KNOBS), "mode": "duet", **values}))

    def die(self, exit_status: int) -> None:
        """End without being asked."""
        self.ended, self.exit_status = True, exit_status

    def send(self, command: Command) -> None:
        """Keep the command."""
        self.sent.append(command)

    def new_reports(self) -> Iterator[Report]:
        """Each once."""
        reports, self._reports = self._reports, []
        return iter(reports)

    def close(self) -> int:
        """End as asked."""
        self.ended = self.closed = True
        return self.exit_status

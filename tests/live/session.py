"""An engine in a process of its own, steered by commands as the panel steers it."""

import time
from pathlib import Path

from jack_machine import PATIENCE

from improv.live.messages import Play, PlayNote, Report, Sounded, Status
from improv.live.process import EngineProcess, Settings


class Session:
    """A partner that plays alone.

    Attributes:
        reports: what the engine has reported, as far as somebody has waited for it.
    """

    def __init__(self, model: Path, take: Path, **settings: object) -> None:
        self.take = take
        chosen = {"mode": "solo", "outputs": ["virtual"], "take": str(take), "seed": 1, **settings}
        self.engine = EngineProcess(Settings(str(model), **chosen))  # type: ignore[arg-type]
        self.reports: list[Report] = []

    def wait_for(self, wanted: Report | str, seconds: float = 60) -> Report:
        """The first report to come that is `wanted`, or whose state or model is."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for report in self.engine.new_reports():
                self.reports.append(report)
                if report == wanted or wanted in (getattr(report, "state", None), getattr(report, "model", None)):
                    return report
            time.sleep(0.01)
        raise AssertionError(f"no {wanted} among {self.reports[-5:]}")

    def close(self) -> int:
        """Asks the engine to end, and insists only after what no busy machine takes; its exit status."""
        return self.engine.close(PATIENCE)

    def play_a_while(self) -> None:
        """Plays for a second, with a key held down."""
        self.engine.send(Play())
        self.wait_for("playing")
        self.engine.send(PlayNote(61, 90))
        time.sleep(1.0)

    def beat(self) -> float:
        """Where the music stands, by what it reports next."""
        self.reports += self.engine.new_reports()
        status = self.wait_for("playing")
        assert isinstance(status, Status)
        return status.beat

    def partner(self, since: float = 0.0) -> list[Sounded]:
        """The partner's onsets from the beat `since` on."""
        self.reports += self.engine.new_reports()
        notes = [note for note in self.reports if isinstance(note, Sounded) and note.part == "partner"]
        return [note for note in notes if note.velocity and note.beat >= since]

"""What the panel's engine says, for the benchmark, which did not start it and cannot ask it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from improv.live.messages import Report, decode, encode
from improv.live.process import EngineProcess, Settings


class CopyingEngine(EngineProcess):
    """An engine of which every report that is fetched is written to `copy` as well, one a line."""

    def __init__(self, settings: Settings, copy: Path) -> None:
        super().__init__(settings)
        self._copy = copy.open("a", buffering=1, encoding="utf-8")

    def new_reports(self) -> Iterator[Report]:
        """See EngineProcess."""
        for report in super().new_reports():
            self._copy.write(encode(report))
            yield report


class Overheard:
    """The reports of a CopyingEngine, elsewhere.

    Attributes:
        ended: never known to be: who started the engine looks after it.
    """

    ended = False

    def __init__(self, copy: Path) -> None:
        self._copy = copy.open("a+", encoding="utf-8")
        self._copy.seek(0)

    def new_reports(self) -> Iterator[Report]:
        """The reports that came since the last call, oldest first."""
        for line in self._copy:
            with suppress(ValueError):  # half a line of a panel that was killed
                yield decode(line)

    def close(self) -> None:
        """Listens no more."""
        self._copy.close()

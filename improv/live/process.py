"""The engine as a process of its own, seen from the side that steers it (the panel, or the command line).

The engine process reads commands on its standard input and writes reports on its standard output. When its standard
input closes, because this side ended or died, it stops cleanly: every note released, the take kept.
"""

from __future__ import annotations

import contextlib
import json
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from improv.knobs import KNOBS
from improv.live.messages import Command, Quit, Report, decode, encode


@dataclass(frozen=True)
class Settings:
    """What the engine starts with.

    Attributes:
        model: path of the checkpoint.
        input, outputs: port names, as improv.live.ports understands them.
        mode, key: as in SetMode and SetKey.
        knobs: values by name.
        seed: of the partner's random choices; None draws one.
        take: where the take is written; None makes a new file for each take in the user's music folder.
        autoplay: start playing as soon as the model is loaded.
        seconds: stop and end after so long playing; None plays on.
    """

    model: str
    input: str = "virtual"
    outputs: list[str] = field(default_factory=lambda: ["virtual"])
    mode: str = "duet"
    key: str = "auto"
    knobs: dict[str, float] = field(default_factory=lambda: {name: knob.default for name, knob in KNOBS.items()})
    seed: int | None = None
    take: str | None = None
    autoplay: bool = False
    seconds: float | None = None

    def to_json(self) -> str:
        """As one line, for the engine's command line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """The settings in `text`."""
        return cls(**json.loads(text))


class EngineProcess:
    """Starts an engine and talks to it. No method blocks for longer than its timeout."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.reports: queue.SimpleQueue[Report] = queue.SimpleQueue()
        new_group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP} if sys.platform == "win32" else {}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "improv.live.engine_main", settings.to_json()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=sys.platform != "win32",  # Ctrl+C reaches this side alone, which then stops the engine
            **new_group,
        )
        threading.Thread(target=self._read, name="engine-reports", daemon=True).start()

    @property
    def pid(self) -> int:
        """Process id of the engine."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Exit status of the engine; None while it runs."""
        return self._process.poll()

    def send(self, command: Command) -> None:
        """Hand `command` to the engine; one that no longer runs is left in peace."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(encode(command))
            self._process.stdin.flush()

    def new_reports(self) -> Iterator[Report]:
        """The reports that came since the last call, oldest first."""
        with contextlib.suppress(queue.Empty):
            while True:
                yield self.reports.get_nowait()

    def close(self, timeout: float = 5.0) -> int:
        """Ask the engine to end, kill it where it does not within `timeout` seconds; returns its exit status."""
        self.send(Quit())
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.close()  # type: ignore[union-attr]
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with contextlib.suppress(ValueError):  # a half line from a killed engine
                self.reports.put(decode(line))


def journal_of(take: Path) -> Path:
    """Where the notes of `take` are kept while it is being played."""
    return take.with_name(take.name + ".journal")

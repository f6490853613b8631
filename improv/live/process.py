"""The engine as a process of its own, seen from the side that steers it (the panel, or the command line).

The engine process reads commands on its standard input and writes reports on its standard output. When its standard
input closes, because this side has died, it stops cleanly, every note released, the take kept; or, if so set, it plays
on alone.
"""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from improv.knobs import KNOBS
from improv.live.hush import end_notes
from improv.live.messages import Command, Ports, Quit, Report, Status, TakeBegun, TakeKept, decode, encode
from improv.live.recorder import finished
from improv.music.take import finish_for_another


@dataclass(frozen=True)
class Settings:
    """What the engine starts with.

    Attributes:
        model: path of the checkpoint.
        input: a port's name, `virtual`, or a MIDI file; None for `virtual` where there can be one.
        outputs: likewise, or `synth`; None for `virtual` and, where sound can be played, `synth`.
        mode, key, sync: as in SetMode, SetKey and SetSync.
        knobs: values by name.
        seed: of the partner's random choices; None draws one.
        take: where the take is written; None makes a new file for each take in the user's music folder.
        autoplay: start playing as soon as the model is loaded.
        seconds: stop and end after so long playing; None plays on.
        cables: what to connect to the virtual ports, as in Ports: an engine that was killed had it so.
        keep_playing: play on where this side has died, until what is played ends or a signal comes.
        device: who may run the chain, one of improv.sampling.devices.DEVICES.
    """

    model: str
    input: str | None = None
    outputs: list[str] | None = None
    mode: str = "duet"
    key: str = "auto"
    sync: str = "internal"
    knobs: dict[str, float] = field(default_factory=lambda: {name: knob.default for name, knob in KNOBS.items()})
    seed: int | None = None
    take: str | None = None
    autoplay: bool = False
    seconds: float | None = None
    cables: dict[str, list[str]] = field(default_factory=dict)
    keep_playing: bool = False
    device: str = "auto"

    def to_json(self) -> str:
        """As one line, for the engine's command line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """The settings in `text`."""
        return cls(**json.loads(text))


class EngineProcess:
    """Starts an engine and talks to it. Only `close` waits, and not for ever."""

    def __init__(self, settings: Settings) -> None:
        self.reports: queue.SimpleQueue[Report] = queue.SimpleQueue()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "improv.live.engine_main", settings.to_json()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            # Ctrl+C reaches this side alone, which then stops the engine.
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self._commands: queue.SimpleQueue[Command | None] = queue.SimpleQueue()
        self._ended = threading.Event()
        # An engine that hangs reads nothing: what it does not take must not keep this side waiting.
        threading.Thread(target=self._write, name="engine-commands", daemon=True).start()
        threading.Thread(target=self._read, name="engine-reports", daemon=True).start()

    @property
    def ended(self) -> bool:
        """Whether the engine is gone, its last report has come and its take is kept."""
        return self._ended.is_set()

    @property
    def pid(self) -> int:
        """Process id of the engine."""
        return self._process.pid

    def send(self, command: Command) -> None:
        """Hand `command` to the engine; one that no longer runs is left in peace."""
        self._commands.put(command)

    def new_reports(self) -> Iterator[Report]:
        """The reports that came since the last call, oldest first."""
        with contextlib.suppress(queue.Empty):
            while True:
                yield self.reports.get_nowait()

    def close(self, timeout: float = 5.0) -> int:
        """Asks the engine to end, insists every `timeout` seconds, at last by killing it; returns its exit status."""
        self._commands.put(Quit())
        self._commands.put(None)
        for insist in (self._process.terminate, self._process.kill):
            try:
                self._process.wait(timeout)
                break
            except subprocess.TimeoutExpired:
                insist()
        status = self._process.wait()
        self._ended.wait(timeout)
        return status

    def _write(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError), self._process.stdin as stream:
            while (command := self._commands.get()) is not None:
                stream.write(encode(command))
                stream.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        begun: dict[str, None] = {}
        outputs: dict[str, bool] = {}
        cabled: list[str] = []  # to its virtual output
        for line in self._process.stdout:
            with contextlib.suppress(ValueError):  # a half line from a killed engine
                report = decode(line)
                match report:
                    case Status():
                        outputs = report.outputs
                    case Ports(cables=cables):
                        cabled = cables.get("output", [])
                    case TakeBegun(path):
                        begun[path] = None
                    case TakeKept(path, begun=other):
                        begun.pop(other or path, None)
                self.reports.put(report)
        if self._process.wait() != 0:
            # Beside each other: neither a slow disk nor a port that is gone keeps the other waiting.
            hush = threading.Thread(target=end_notes, args=([*outputs, *cabled],), name="hush", daemon=True)
            hush.start()
            for path in begun:
                self._keep(Path(path))
            hush.join()
        self._ended.set()

    def _keep(self, take: Path) -> None:
        """Makes a MIDI file of what a killed engine had recorded."""
        for report in finished(take, finish_for_another):
            self.reports.put(report)

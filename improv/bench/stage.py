"""What a benchmark of the live loop plays on: an engine between a keyboard and a listener, or the panel; busy cores."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from improv.bench.listener import Listener, connect
from improv.bench.overheard import Overheard
from improv.errors import ImprovError
from improv.knobs import KNOBS
from improv.live.messages import Status
from improv.live.ports.backend import choose_backend, discard
from improv.live.process import EngineProcess, Settings
from improv.resources import bundled_model

BUSY = "while True: pass"
PANEL = """
import sys
from functools import partial
from pathlib import Path
from improv.bench.overheard import CopyingEngine
from improv.live.process import Settings
from ui.panel import open_panel
sys.exit(open_panel(Settings.from_json(sys.argv[1]), partial(CopyingEngine, copy=Path(sys.argv[2]))))
"""
SCREEN = ("-screen", "0", "1280x800x24")
LOAD_SECONDS = 60.0  # within which a model is loaded and plays, whatever else the machine does


@contextmanager
def settings(**chosen: object) -> Iterator[Settings]:
    """Settings of an engine that plays at once, the bundled model where no other is told; nobody keeps the take.

    `tempo` and `k` are knobs; all else is as in Settings.
    """
    knobs = {name: float(str(chosen.pop(name, knob.default))) for name, knob in KNOBS.items()}
    with tempfile.TemporaryDirectory() as folder:
        told = {"model": str(bundled_model()), "outputs": ["virtual"], "seed": 1, "autoplay": True, **chosen}
        yield Settings(knobs=knobs, take=str(Path(folder, "take.mid")), **told)  # type: ignore[arg-type]


@contextmanager
def engine(chosen: Settings) -> Iterator[EngineProcess]:
    """A running engine."""
    process = EngineProcess(chosen)
    try:
        yield process
    finally:
        process.close()


def wait_until_playing(process: EngineProcess | Overheard) -> Status:
    """Waits for news that the engine plays; returns the latest.

    Raises:
        ImprovError: the engine has ended, or there is no such news for LOAD_SECONDS.
    """
    deadline = time.monotonic() + LOAD_SECONDS
    while not process.ended and time.monotonic() < deadline:
        playing = [
            report for report in process.new_reports() if isinstance(report, Status) and report.state == "playing"
        ]
        if playing:
            return playing[-1]
        time.sleep(0.001)
    raise ImprovError("the partner does not play: look what `improv play` says here")


@dataclass(frozen=True)
class Jam:
    """An engine that plays, a keyboard at its input (what it sends, it sends at once) and a listener at its output."""

    engine: EngineProcess
    keyboard: Any
    listener: Listener


@contextmanager
def jam(chosen: Settings) -> Iterator[Jam]:
    """A jam on the JACK server that this process finds; the partner plays already.

    Raises:
        ImprovError: the partner does not play.
    """
    with ExitStack() as stack:
        listener, keyboard = Listener(), choose_backend().new_output("keyboard")
        stack.callback(listener.close)
        stack.callback(discard, keyboard)
        keyboard.open_virtual_port("out")
        process = stack.enter_context(engine(chosen))
        listener.attach("improv:out")
        connect("keyboard:out", "improv in:in")
        wait_until_playing(process)
        yield Jam(process, keyboard, listener)


@contextmanager
def relay(channel: int) -> Iterator[None]:
    """A relay between a port `relay in:in` and a port `relay out:out`, which both come soon."""
    with _running([sys.executable, "-m", "improv.bench.relay", str(channel)]):
        yield


@contextmanager
def panel(chosen: Settings) -> Iterator[Overheard]:
    """The panel with its engine, on a screen that nobody sees; it repaints sixty times a second while it plays."""
    with ExitStack() as stack:
        command = ["Xvfb", "-displayfd", "1", *SCREEN]
        screen = stack.enter_context(_running(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL))
        assert screen.stdout is not None
        display = {"DISPLAY": f":{screen.stdout.readline().decode().strip()}", "QT_QPA_PLATFORM": "xcb"}
        copy = Path(stack.enter_context(tempfile.TemporaryDirectory()), "reports")
        overheard = stack.enter_context(closing(Overheard(copy)))
        command = [sys.executable, "-c", PANEL, chosen.to_json(), str(copy)]
        stack.enter_context(_running(command, env=os.environ | display, stderr=subprocess.DEVNULL))
        yield overheard


def panel_can_open() -> bool:
    """Whether there is a screen that nobody sees."""
    return shutil.which("Xvfb") is not None


@contextmanager
def busy_cores() -> Iterator[None]:
    """On every core a program that never rests."""
    with ExitStack() as stack:
        for _ in range(os.cpu_count() or 1):
            stack.enter_context(_running([sys.executable, "-c", BUSY]))
        yield


@contextmanager
def _running(command: list[str], **how: object) -> Iterator[subprocess.Popen[bytes]]:
    process: subprocess.Popen[bytes] = subprocess.Popen(command, **how)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.terminate()
        process.wait()

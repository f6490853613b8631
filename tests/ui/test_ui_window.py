"""The panel as a program of its own: on a real X server, ended by signals, killed; mostly with a real engine."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from jack_machine import eventually, missing
from memory_engine import MemoryEngine
from PyQt6.QtCore import QTimer
from PyQt6.QtGui import QImage
from PyQt6.QtWidgets import QApplication

from improv.live.process import Settings
from improv.music.journal import journal_of
from ui.panel import Panel, open_panel
from ui.style import PARTS

SOME_LINES = 10
PATIENCE = 120.0  # seconds until a freshly started engine plays, on a machine busy with other work

WITH_AN_ENGINE_IN_MEMORY = """
import sys
from memory_engine import MemoryEngine
from PyQt6.QtCore import QTimer
from PyQt6.QtWidgets import QApplication
from improv.live.messages import Sounded
from improv.live.process import Settings
from ui import style
from ui.panel import Panel

app = QApplication([])
style.dress(app)
engine = MemoryEngine(Settings("m.pt"))
panel = Panel(engine.settings, lambda settings: engine)
panel.setGeometry(0, 0, 1000, 700)
panel.show()
engine.stand("stopped")
engine.stand("playing")
engine.say(*[Sounded(part, pitch, 100, beat) for part, pitch, beat in (("player", 72, 0.0), ("partner", 60, 1.0))])
engine.stand("playing", 8.0)
QTimer.singleShot(1000, lambda: (app.primaryScreen().grabWindow(0).save(sys.argv[1]), app.quit()))
app.exec()
"""

WITH_A_REAL_ENGINE = """
import sys
from improv.live.process import Settings
from ui.panel import open_panel

model, take = sys.argv[1:]
sys.exit(open_panel(Settings(model, mode="solo", take=take, autoplay=True)))
"""


@pytest.fixture
def x_server() -> Iterator[dict[str, str]]:
    """The environment of a program on an X server of its own."""
    if shutil.which("Xvfb") is None:
        missing("Xvfb is not installed")
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1280x800x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL)
    os.close(writing)
    with os.fdopen(reading) as display:
        number = display.readline().strip()
    yield {**os.environ, "DISPLAY": f":{number}", "QT_QPA_PLATFORM": "xcb"}
    server.terminate()
    server.wait(10)


@pytest.mark.slow
def test_a_real_window_shows_both_parts(x_server, tmp_path):
    picture = tmp_path / "panel.png"
    environment = {**x_server, "PYTHONPATH": str(Path(__file__).parent)}
    subprocess.run(
        [sys.executable, "-c", WITH_AN_ENGINE_IN_MEMORY, str(picture)], env=environment, check=True, timeout=120
    )
    image = QImage(str(picture))
    colours = {image.pixelColor(x, y).name() for x in range(0, 1000, 2) for y in range(0, 700, 2)}
    assert len(colours) > 50
    assert {part.name() for part in PARTS.values()} <= colours


def panels() -> list[Panel]:
    """The windows there are."""
    return [widget for widget in QApplication.topLevelWidgets() if isinstance(widget, Panel)]


@pytest.mark.usefixtures("qapp")
@pytest.mark.parametrize("number", [None, signal.SIGTERM])
def test_a_closed_window_goes_before_the_application_does(number):
    QTimer.singleShot(50, lambda: signal.raise_signal(number) if number else panels()[0].close())
    assert open_panel(Settings("m.pt"), MemoryEngine) == 0
    assert panels() == []


@pytest.fixture
def playing(tiny_model, tmp_path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A panel whose real engine is playing, and the take it plays into."""
    take = tmp_path / "take.mid"
    panel = subprocess.Popen(
        [sys.executable, "-c", WITH_A_REAL_ENGINE, str(tiny_model), str(take)],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        stderr=subprocess.PIPE,
        text=True,
    )
    journal = journal_of(take)
    try:
        assert eventually(lambda: journal.exists() and len(journal.read_text().splitlines()) > SOME_LINES, PATIENCE)
        yield panel, take
    finally:
        panel.kill()
        panel.communicate(timeout=60)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_closes_the_window_and_keeps_the_take(playing, number):
    panel, take = playing
    panel.send_signal(number)
    _, said = panel.communicate(timeout=60)
    assert panel.returncode == 0, said
    assert "Traceback" not in said
    assert take.exists()
    assert not journal_of(take).exists()


@pytest.mark.slow
def test_a_killed_panel_takes_its_engine_with_it(playing):
    panel, take = playing
    panel.kill()
    panel.communicate(timeout=60)  # the engine holds this pipe's other end until it has ended
    assert take.exists()

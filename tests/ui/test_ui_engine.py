"""The panel with a real engine in this process's care: killed, told to end, not yet ready."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtTest import QTest

from improv.live.process import Settings
from ui.panel import Panel

PATIENCE_MS = 120_000  # until a freshly started engine is ready, on a machine busy with other work


@pytest.fixture
def open_panel(
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    qtbot,
    dressed: None,  # noqa: ARG001
) -> Callable[[], Panel]:
    """Opens a panel whose engine finds no MIDI system, and closes it in the end."""
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "there-is-none")

    def open_it() -> Panel:
        panel = Panel(Settings(str(tiny_model), mode="solo", outputs=["virtual"], take=str(tmp_path / "take.mid")))
        qtbot.addWidget(panel)
        panel.show()
        return panel

    return open_it


def wait_for(qtbot, panel: Panel, state: str) -> None:
    qtbot.waitUntil(lambda: panel._status.state == state, timeout=PATIENCE_MS)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_an_engine_that_is_gone_is_told_and_started_again(open_panel, qtbot, tmp_path, number):
    panel = open_panel()
    wait_for(qtbot, panel, "stopped")
    QTest.mouseClick(panel.transport.play, Qt.MouseButton.LeftButton)
    wait_for(qtbot, panel, "playing")
    qtbot.waitUntil(lambda: len(panel.roll._notes) > 0, timeout=PATIENCE_MS)
    before = panel._engine
    os.kill(before.pid, number)
    qtbot.waitUntil(lambda: panel._engine is not before, timeout=PATIENCE_MS)
    assert "stopped unexpectedly" in panel.banner.text
    assert panel.status_line.take.isVisible()
    assert (tmp_path / "take.mid").exists()
    assert panel.piano._sounding["partner"] == set()
    first = (tmp_path / "take.mid").read_bytes()
    wait_for(qtbot, panel, "playing")
    qtbot.waitUntil(lambda: len(panel.roll._notes) > 0, timeout=PATIENCE_MS)
    panel.close()
    assert (tmp_path / "take.mid").read_bytes() == first
    assert panel._engine.ended
    assert panel.exit_status == 0


@pytest.mark.slow
def test_a_window_closed_while_the_model_loads_leaves_no_engine(open_panel):
    panel = open_panel()
    panel.close()
    assert panel._engine.ended
    assert panel._engine.close() == 0

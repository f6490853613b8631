"""A panel with its engine in memory."""

import os
from collections.abc import Callable

import pytest
from memory_engine import MemoryEngine
from PyQt6.QtWidgets import QApplication

from improv.live.process import Settings
from ui import style
from ui.panel import Panel

if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


class Stage:
    """The panel, and every engine it has started."""

    def __init__(self, settings: Settings) -> None:
        self.engines: list[MemoryEngine] = []
        self.panel = Panel(settings, self._start)

    @property
    def engine(self) -> MemoryEngine:
        """The engine that runs now."""
        return self.engines[-1]

    def poll(self) -> None:
        """Have the panel look for reports at once, not at its next timer."""
        self.panel._poll()

    def play(self) -> None:
        """Have the engine report that it plays."""
        self.engine.stand("stopped")
        self.engine.stand("playing")
        self.poll()

    def _start(self, settings: Settings) -> MemoryEngine:
        self.engines.append(MemoryEngine(settings))
        return self.engines[-1]


@pytest.fixture(scope="session")
def dressed(qapp: QApplication) -> None:
    """The panel's look, put on once: doing so again restyles every widget there has been."""
    style.dress(qapp)


@pytest.fixture
def open_stage(qtbot, dressed: None) -> Callable[..., Stage]:  # noqa: ARG001 - before the first widget
    """Opens a panel with the given settings."""

    def open_it(**settings: object) -> Stage:
        stage = Stage(Settings(**{"model": "/models/partner.pt", **settings}))
        qtbot.addWidget(stage.panel)
        stage.panel.show()
        return stage

    return open_it


@pytest.fixture
def stage(open_stage: Callable[..., Stage]) -> Stage:
    """A panel with the default settings, its engine ready to play."""
    opened = open_stage()
    opened.engine.stand("stopped")
    opened.poll()
    return opened

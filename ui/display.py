"""The connection to the display."""

import os
import sys

from PyQt6.QtCore import QMessageLogContext, QtMsgType, qInstallMessageHandler
from PyQt6.QtWidgets import QApplication

from improv.errors import ImprovError

_HINT = "play without it, with `improv play --headless`"


def connect_display() -> QApplication:
    """Qt's application object, made where there is none yet.

    Where Qt cannot open windows (a display that does not answer, a library that is missing) it can only abort. The
    process then ends here with exit status 1, after one line on standard error.

    Raises:
        ImprovError: no display is named.
    """
    made = QApplication.instance()
    if made is not None:
        assert isinstance(made, QApplication)
        return made
    named = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    if sys.platform.startswith("linux") and not any(os.environ.get(name) for name in named):
        raise ImprovError(f"there is no display for the panel: {_HINT}")
    told: list[str] = []

    def hear(kind: QtMsgType, _context: QMessageLogContext, text: str | None) -> None:
        told.extend((text or "").splitlines())
        if kind == QtMsgType.QtFatalMsg:  # Qt aborts when this returns, and nothing can be raised through it
            print(f"improv: the panel cannot open a window ({told[0]}): {_HINT}", file=sys.stderr, flush=True)
            os._exit(1)

    before = qInstallMessageHandler(hear)
    try:
        return QApplication(["improv"])
    finally:
        qInstallMessageHandler(before)

"""Hands on the computer's keys; a key counts as let go only when it has stayed up for a moment."""

from PyQt6.QtCore import Qt
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QWidget

from ui.keys import BOUNCE_MS, ComputerKeys


def release(widget: QWidget, key: Qt.Key) -> None:
    """Let go of a key for good."""
    QTest.keyRelease(widget, key)
    keys = widget.window().findChild(ComputerKeys)
    while keys._lifting:
        QTest.qWait(BOUNCE_MS)


def click(widget: QWidget, key: Qt.Key) -> None:
    """Press a key and let go."""
    QTest.keyPress(widget, key)
    release(widget, key)

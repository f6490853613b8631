"""The computer's keys: letters play the piano, space plays and stops, Escape is panic, wherever the focus is."""

from collections.abc import Callable

from PyQt6.QtCore import QEvent, QObject, Qt, pyqtSignal
from PyQt6.QtGui import QKeyEvent
from PyQt6.QtWidgets import QAbstractButton, QApplication, QWidget

from ui.piano import Piano

LETTERS = "AWSEDFTGYHUJKOLP"
"""The letter for every semitone from the base note up, laid out like the keys of a piano."""

_KEYS: dict[int, int] = {Qt.Key[f"Key_{letter}"]: offset for offset, letter in enumerate(LETTERS)}
_LOWEST, _HIGHEST = 24, 84
_VELOCITY = 88


class ComputerKeys(QObject):
    """Watches the keys of the whole window, so that a focused button or combo box does not swallow the music."""

    toggled = pyqtSignal()
    """The space bar: play or stop."""

    panicked = pyqtSignal()
    """Escape."""

    def __init__(self, window: QWidget, piano: Piano) -> None:
        super().__init__(window)
        self._window, self._piano = window, piano
        self._base = 60
        self._show_hints()
        app = QApplication.instance()
        assert app is not None
        app.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Take the keys that mean something here and leave the others to whoever has the focus."""
        if event is None:
            return False
        if event.type() == QEvent.Type.WindowDeactivate and watched is self._window:
            self._piano.release_all()  # the window without the focus never hears the keys go up
        elif event.type() == QEvent.Type.KeyRelease and isinstance(event, QKeyEvent):
            if not event.isAutoRepeat():
                self._piano.release(event.key())
        elif event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            return self._press(event)
        return False

    def _press(self, event: QKeyEvent) -> bool:
        """Whether the key was one of ours."""
        if QApplication.activePopupWidget() or QApplication.activeModalWidget():
            return False  # a menu or a file dialog is typed into
        key, modifiers = event.key(), event.modifiers()
        if modifiers & ~(Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.KeypadModifier):
            return False
        known = key in _KEYS or key in _ACTIONS or (key in _ENTER and _focused_button() is not None)
        if known and not event.isAutoRepeat():
            if key in _KEYS:
                self._piano.press(key, self._base + _KEYS[key], _VELOCITY)
            elif key in _ENTER:
                button = _focused_button()
                assert button is not None
                button.click()
            else:
                _ACTIONS[key](self)
        return known

    def _shift(self, semitones: int) -> None:
        self._base = min(max(self._base + semitones, _LOWEST), _HIGHEST)
        self._show_hints()

    def _show_hints(self) -> None:
        self._piano.set_hints({self._base + offset: letter for offset, letter in enumerate(LETTERS)})


_ACTIONS: dict[int, Callable[[ComputerKeys], None]] = {
    Qt.Key.Key_Space: lambda keys: keys.toggled.emit(),
    Qt.Key.Key_Escape: lambda keys: keys.panicked.emit(),
    Qt.Key.Key_Z: lambda keys: keys._shift(-12),
    Qt.Key.Key_X: lambda keys: keys._shift(12),
}
_ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)  # a focused button is pressed with Return: space is taken


def _focused_button() -> QAbstractButton | None:
    widget = QApplication.focusWidget()
    return widget if isinstance(widget, QAbstractButton) else None

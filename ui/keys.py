"""The computer's keys: letters play the piano, space plays and stops, Escape is panic, wherever the focus is."""

from collections.abc import Callable

from PyQt6.QtCore import QEvent, QObject, Qt, QTimerEvent, pyqtSignal
from PyQt6.QtGui import QKeyEvent
from PyQt6.QtWidgets import QAbstractButton, QApplication, QWidget

from ui.piano import Piano

LETTERS = "AWSEDFTGYHUJKOLP"
"""The letter for every semitone from the base note up, laid out like the keys of a piano."""

_KEYS: dict[int, int] = {Qt.Key[f"Key_{letter}"]: offset for offset, letter in enumerate(LETTERS)}
_LOWEST, _HIGHEST = 24, 84
_VELOCITY = 88
BOUNCE_MS = 20
"""A held key repeats on X as release and press at once, often not marked as repeats; no finger is as fast."""


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
        self._lifting: dict[int, int] = {}  # by key: the timer of its release, which a press before then undoes
        self._show_hints()
        app = QApplication.instance()
        assert app is not None
        app.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Take the keys that mean something here and leave the others to whoever has the focus."""
        if event is None:
            return False
        if event.type() == QEvent.Type.WindowDeactivate and watched is self._window:
            self._let_go()  # the window without the focus never hears the keys go up
        elif event.type() == QEvent.Type.KeyRelease and isinstance(event, QKeyEvent):
            if event.key() in _OURS and not event.isAutoRepeat():
                self._lift(event.key())
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
        if known and not (self._stay(key) or event.isAutoRepeat()):
            if key in _KEYS:
                self._piano.press(key, self._base + _KEYS[key], _VELOCITY)
            elif key in _ENTER:
                button = _focused_button()
                assert button is not None
                button.click()
            else:
                _ACTIONS[key](self)
        return known

    def timerEvent(self, event: QTimerEvent | None) -> None:
        """A key went up and stayed up."""
        for key, timer in list(self._lifting.items()):
            if event is not None and timer == event.timerId():
                self._stay(key)
                self._piano.release(key)

    def _lift(self, key: int) -> None:
        """The key has gone up, unless it is pressed again at once."""
        self._stay(key)
        self._lifting[key] = self.startTimer(BOUNCE_MS)

    def _stay(self, key: int) -> bool:
        """Whether the key was about to have gone up; it is not any more."""
        timer = self._lifting.pop(key, None)
        if timer is not None:
            self.killTimer(timer)
        return timer is not None

    def _let_go(self) -> None:
        for key in list(self._lifting):
            self._stay(key)
        self._piano.release_all()

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
_OURS = {*_KEYS, *_ACTIONS, *_ENTER}


def _focused_button() -> QAbstractButton | None:
    widget = QApplication.focusWidget()
    return widget if isinstance(widget, QAbstractButton) else None

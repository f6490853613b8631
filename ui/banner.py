"""What went wrong, or is well again, in plain words, until it is read."""

from collections import deque
from dataclasses import dataclass

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy

from ui.style import set_kind


@dataclass(frozen=True)
class _Line:
    text: str
    about: str
    notice: bool


class Banner(QFrame):
    """The last few of them, a line each, with a button that starts the engine again where it has ended."""

    restart_asked = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("banner")
        self._lines: deque[_Line] = deque(maxlen=3)
        self._text = QLabel()
        self._text.setWordWrap(True)
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setAccessibleName("news")
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.restart = QPushButton("Start again")
        self.restart.setAccessibleDescription("start the engine again")
        self.dismiss = QPushButton("Dismiss")
        self.restart.clicked.connect(self.restart_asked)
        self.dismiss.clicked.connect(self.clear)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(14, 6, 8, 6)
        layout.addWidget(self._text)
        layout.addWidget(self.restart)
        layout.addWidget(self.dismiss)
        self.hide()

    @property
    def text(self) -> str:
        """What it says; empty while there is nothing to say."""
        return "\n".join(line.text for line in self._lines)

    def say(self, text: str, ended: bool = False, notice: bool = False, about: str = "") -> None:
        """Add `text`, once, and drop what was said `about` the same thing; `ended` offers to start the engine again
        instead of dismissing the lines.

        It looks alarming unless each line is a `notice`.
        """
        for line in [line for line in self._lines if line.text == text or (about and line.about == about)]:
            self._lines.remove(line)
        self._lines.append(_Line(text, about, notice))
        set_kind(self, "notice" if all(line.notice for line in self._lines) else "problem")
        self._text.setText(self.text)
        self.restart.setVisible(ended)
        self.dismiss.setVisible(not ended)
        self.show()

    def clear(self) -> None:
        """Nothing is wrong, or it has been read."""
        self._lines.clear()
        self.hide()

"""What went wrong, in plain words, until it is read."""

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy


class Banner(QFrame):
    """One line, with a button that starts the engine again where it has ended."""

    restart_asked = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("banner")
        self._text = QLabel()
        self._text.setWordWrap(True)
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setAccessibleName("problem")
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.restart = QPushButton("Start again")
        self.restart.setAccessibleDescription("start the engine again")
        self.dismiss = QPushButton("Dismiss")
        self.restart.clicked.connect(self.restart_asked)
        self.dismiss.clicked.connect(self.hide)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(14, 6, 8, 6)
        layout.addWidget(self._text)
        layout.addWidget(self.restart)
        layout.addWidget(self.dismiss)
        self.hide()

    @property
    def text(self) -> str:
        """What it says; empty while there is nothing to say."""
        return "" if self.isHidden() else self._text.text()

    def say(self, text: str, ended: bool = False) -> None:
        """Show `text`; `ended` offers to start the engine again instead of dismissing the line."""
        self._text.setText(text)
        self.restart.setVisible(ended)
        self.dismiss.setVisible(not ended)
        self.show()

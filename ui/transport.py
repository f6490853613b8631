"""Play, stop, panic, and where the music stands."""

from PyQt6.QtCore import QSize, Qt, pyqtSignal
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from improv.live.messages import Panic, Play, Status, Stop
from ui.style import BAD, GOOD, MUTED, PARTS, TEXT, icon, label, set_kind

_STATES = {"loading": ("loading the model", MUTED), "stopped": ("ready", GOOD), "ended": ("not running", BAD)}
_TURNS = {
    "player": ("your turn", PARTS["player"]),
    "partner": ("the partner plays", PARTS["partner"]),
    "both": ("playing together", TEXT),
}


class Transport(QWidget):
    """The row of buttons and figures at the top of the panel."""

    command = pyqtSignal(object)
    """Play, Stop or Panic."""

    def __init__(self) -> None:
        super().__init__()
        self._state = "loading"
        self.play = self._button("Play", "space bar")
        self.stop = self._button("Stop", "space bar")
        self.panic = self._button("Panic", "Esc")
        self.panic.setToolTip("release every note at once (Esc)")
        self.play.clicked.connect(lambda: self.command.emit(Play()))
        self.stop.clicked.connect(lambda: self.command.emit(Stop()))
        self.panic.clicked.connect(lambda: self.command.emit(Panic()))
        self._position, self._key = label("1.1", "figure"), label("–", "figure")
        self._turn = QLabel()
        self._turn.setAccessibleName("whose turn it is")
        self._position.setAccessibleName("bar and beat")
        self._key.setAccessibleName("key the partner plays in")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(label("improv", "name"))
        layout.addSpacing(16)
        for button in (self.play, self.stop, self.panic):
            layout.addWidget(button)
        layout.addStretch(1)
        layout.addWidget(self._turn)
        layout.addStretch(1)
        layout.addWidget(_captioned(self._key, "playing in", 140))
        layout.addWidget(_captioned(self._position, "bar . beat", 88))
        self.show_state("loading")

    def toggle(self) -> None:
        """Play where it is stopped, stop where it plays: the button that is enabled is the one meant."""
        (self.stop if self._state == "playing" else self.play).click()

    def show_status(self, status: Status) -> None:
        """Draw what the engine reports."""
        self._key.setText(status.key or "–")
        self.show_state(status.state, status.turn)

    def show_state(self, state: str, turn: str = "") -> None:
        """Draw `state`: one of Status.state, or `ended` where no engine runs."""
        self._state = state
        self.play.setEnabled(state == "stopped")
        self.stop.setEnabled(state == "playing")
        self.panic.setEnabled(state != "ended")
        words, colour = _STATES.get(state) or _TURNS.get(turn, ("playing", TEXT))
        if self._turn.text() != words:
            self._turn.setText(words)
            self._turn.setStyleSheet(f"color: {colour.name()}; font-size: 16px; font-weight: 600;")

    def show_beat(self, beat: float, bar_beats: float) -> None:
        """Draw the musical position, bars and beats counted from 1 as musicians do."""
        bar, rest = divmod(max(beat, 0.0), bar_beats)
        self._position.setText(f"{int(bar) + 1}.{int(rest) + 1}")

    def _button(self, text: str, keys: str) -> QPushButton:
        button = QPushButton(icon(text.lower(), {"Play": GOOD, "Stop": TEXT, "Panic": BAD}[text]), text)
        button.setIconSize(QSize(13, 13))
        button.setToolTip(f"{text.lower()} ({keys})")
        set_kind(button, "transport")
        return button


def _captioned(figure: QLabel, caption: str, width: int) -> QWidget:
    box = QWidget()
    layout = QVBoxLayout(box)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(0)
    for text in (label(caption, "caption"), figure):
        text.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        layout.addWidget(text)
    figure.setMinimumWidth(width)
    return box

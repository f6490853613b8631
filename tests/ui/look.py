"""What a person reads on the panel, and picks from it."""

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QLabel


def words(panel) -> str:
    """Everything that stands on the panel's labels."""
    return "\n".join(label.text() for label in panel.findChildren(QLabel))


def choose(combo, text: str) -> None:
    """Pick an entry as a hand would."""
    combo.setCurrentIndex(combo.findText(text, Qt.MatchFlag.MatchContains))
    combo.activated.emit(combo.currentIndex())

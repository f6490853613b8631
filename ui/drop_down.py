"""Buttons that open a list below them, with the mark that says so."""

from PyQt6.QtCore import QPoint, QPointF, Qt
from PyQt6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from PyQt6.QtWidgets import QComboBox, QMenu, QPushButton, QSizePolicy, QWidget

from ui.style import MUTED


class DropDown(QComboBox):
    """One choice among several; each item carries a name for the engine beside its text."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(10)

    @property
    def chosen(self) -> str:
        """The engine's name of what is chosen."""
        return str(self.currentData())

    def offer(self, items: dict[str, str], chosen: str) -> None:
        """Offer `items`, texts by name, with `chosen` chosen."""
        self.clear()
        for name, text in items.items():
            self.addItem(text, name)
        self.setCurrentIndex(max(self.findData(chosen), 0))

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """The box, and the mark."""
        super().paintEvent(event)
        _paint_mark(self)


class MenuButton(QPushButton):
    """Any number of choices, in a menu with checks."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.list = QMenu(self)
        self.clicked.connect(lambda: self.list.popup(self.mapToGlobal(QPoint(0, self.height()))))

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """The button, and the mark."""
        super().paintEvent(event)
        _paint_mark(self)


def _paint_mark(widget: QWidget) -> None:
    painter = QPainter(widget)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(MUTED, 1.6, cap=Qt.PenCapStyle.RoundCap))
    x, y = widget.width() - 17.0, widget.height() / 2
    painter.drawPolyline(QPolygonF([QPointF(x - 4, y - 2), QPointF(x, y + 2), QPointF(x + 4, y - 2)]))

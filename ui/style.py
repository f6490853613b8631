"""How the panel looks: colours, the style sheet and the icons drawn from them."""

from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QFont, QIcon, QPainter, QPalette, QPixmap, QPolygonF
from PyQt6.QtWidgets import QApplication, QLabel, QWidget

BACKGROUND = QColor("#12151a")
SURFACE = QColor("#1a1f27")
RAISED = QColor("#262d38")
LINE = QColor("#3a4453")
TEXT = QColor("#e8ebf0")
MUTED = QColor("#9ca6b5")
GOOD = QColor("#6fd39a")
BAD = QColor("#ff8071")
PARTS = {"player": QColor("#ffb547"), "partner": QColor("#6cb2ff")}
"""Amber and blue stay apart for every kind of colour blindness."""

_SHEET = f"""
QWidget {{ background: {BACKGROUND.name()}; color: {TEXT.name()}; font-size: 13px; }}
QLabel {{ background: transparent; }}
QLabel[kind="caption"] {{ color: {MUTED.name()}; font-size: 11px; }}
QLabel[kind="figure"] {{ font-size: 24px; font-weight: 600; }}
QLabel[kind="name"] {{ font-size: 20px; font-weight: 700; }}
QToolTip {{ background: {RAISED.name()}; color: {TEXT.name()}; border: 1px solid {LINE.name()}; padding: 4px; }}
QPushButton, QComboBox {{
    background: {RAISED.name()}; border: 1px solid {LINE.name()}; border-radius: 7px; padding: 6px 12px;
    min-height: 18px; text-align: left;
}}
QPushButton[kind="transport"] {{ padding: 9px 14px; font-weight: 600; }}
QPushButton[kind="plain"] {{ background: transparent; border-color: transparent; padding: 2px 6px; font-size: 11px;
    min-height: 16px; color: {MUTED.name()}; }}
QPushButton:hover, QComboBox:hover {{ background: #303947; }}
QPushButton:pressed {{ background: {LINE.name()}; }}
QPushButton:focus, QComboBox:focus {{ border-color: {TEXT.name()}; }}
QPushButton:disabled {{ color: #667080; background: {SURFACE.name()}; border-color: {RAISED.name()}; }}
QPushButton:checked {{ background: {TEXT.name()}; color: {BACKGROUND.name()}; border-color: {TEXT.name()}; }}
QPushButton:checked:focus {{ border-color: {PARTS["player"].name()}; }}
QPushButton[kind="segment"] {{ text-align: center; padding: 6px 10px; }}
QComboBox::drop-down {{ border: 0; width: 20px; }}
QComboBox::down-arrow {{ image: none; }}
QComboBox QAbstractItemView, QMenu {{
    background: {SURFACE.name()}; border: 1px solid {LINE.name()}; padding: 4px;
    selection-background-color: {LINE.name()}; selection-color: {TEXT.name()};
}}
QMenu::item {{ padding: 6px 20px; }}
QMenu::item:selected {{ background: {LINE.name()}; }}
QDoubleSpinBox {{
    background: transparent; border: 1px solid transparent; border-radius: 6px; padding: 2px;
    font-size: 15px; font-weight: 600; selection-background-color: {LINE.name()};
}}
QDoubleSpinBox:hover, QDoubleSpinBox:focus {{ background: {SURFACE.name()}; border-color: {LINE.name()}; }}
#banner {{ background: #3a2220; border: 1px solid {BAD.name()}; border-radius: 8px; }}
#banner[kind="notice"] {{ background: {SURFACE.name()}; border-color: {LINE.name()}; }}
#banner QPushButton {{ background: transparent; }}
"""


def dress(app: QApplication) -> None:
    """Give the whole application the panel's look."""
    app.setStyle("Fusion")
    palette = QPalette(RAISED, BACKGROUND)
    for role, colour in (
        (QPalette.ColorRole.Base, SURFACE),
        (QPalette.ColorRole.Text, TEXT),
        (QPalette.ColorRole.WindowText, TEXT),
        (QPalette.ColorRole.ButtonText, TEXT),
        (QPalette.ColorRole.PlaceholderText, MUTED),
        (QPalette.ColorRole.Highlight, LINE),
        (QPalette.ColorRole.HighlightedText, TEXT),
    ):
        palette.setColor(QPalette.ColorGroup.All, role, colour)
    app.setPalette(palette)
    app.setStyleSheet(_SHEET)


def set_kind(widget: QWidget, kind: str) -> None:
    """Choose the style sheet's variant of `widget`."""
    widget.setProperty("kind", kind)
    style = widget.style()
    if style is not None:
        style.polish(widget)  # the sheet is not looked at again of itself


def label(text: str, kind: str) -> QLabel:
    """A label in one of the sheet's variants: `caption`, `figure` or `name`."""
    made = QLabel(text)
    set_kind(made, kind)
    return made


def font(pixels: int, bold: bool = False) -> QFont:
    """The application's font for painting, `pixels` high."""
    made = QFont(QApplication.font())
    made.setPixelSize(pixels)
    made.setBold(bold)
    return made


def icon(shape: str, colour: QColor) -> QIcon:
    """The transport icon `play`, `stop` or `panic`; greyed where its button is disabled."""
    made = QIcon()
    for mode, ink in ((QIcon.Mode.Normal, colour), (QIcon.Mode.Disabled, QColor("#667080"))):
        pixmap = QPixmap(32, 32)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ink)
        if shape == "play":
            painter.drawPolygon(QPolygonF([QPointF(7, 4), QPointF(28, 16), QPointF(7, 28)]))
        elif shape == "stop":
            painter.drawRoundedRect(QRectF(6, 6, 20, 20), 3, 3)
        else:
            painter.drawRoundedRect(QRectF(13, 3, 6, 17), 3, 3)
            painter.drawEllipse(QRectF(13, 23, 6, 6))
        painter.end()
        made.addPixmap(pixmap, mode)
    return made

"""A knob on the panel: a dial to turn, and its value with the unit to read or type."""

import math

from PyQt6.QtCore import QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PyQt6.QtWidgets import QDoubleSpinBox, QVBoxLayout, QWidget

from improv.knobs import Knob
from improv.live.messages import SetKnob
from ui.style import LINE, MUTED, PARTS, RAISED, TEXT, label

_TRAVEL = 180.0
"""Pixels of mouse movement from the lowest to the highest value."""

_START, _SWEEP = 225.0, -270.0
_TURNS: dict[int, int] = {
    Qt.Key.Key_Up: 1,
    Qt.Key.Key_Right: 1,
    Qt.Key.Key_Down: -1,
    Qt.Key.Key_Left: -1,
    Qt.Key.Key_PageUp: 10,
    Qt.Key.Key_PageDown: -10,
}


def fraction_of(knob: Knob, value: float) -> float:
    """How far the knob is turned at `value`, 0..1; equal turns multiply a logarithmic knob."""
    if knob.logarithmic:
        return math.log(value / knob.low) / math.log(knob.high / knob.low)
    return (value - knob.low) / (knob.high - knob.low)


def value_at(knob: Knob, fraction: float) -> float:
    """The value where the knob is turned to `fraction`, on a multiple of its step; what is beyond 0..1 stops there."""
    fraction = min(max(fraction, 0.0), 1.0)
    if knob.logarithmic:
        return _snapped(knob, knob.low * (knob.high / knob.low) ** fraction)
    return _snapped(knob, knob.low + fraction * (knob.high - knob.low))


def turned(knob: Knob, value: float, steps: int) -> float:
    """The value `steps` small turns away: each is a step, or 5 % of a logarithmic knob's value where that is more."""
    step = max(knob.step, value / 20) if knob.logarithmic else knob.step
    return _snapped(knob, value + steps * step)


def _snapped(knob: Knob, value: float) -> float:
    on_step = round(round(value / knob.step) * knob.step, 9)
    return knob.check(min(max(on_step, knob.low), knob.high))


class Dial(QWidget):
    """The round thing: drag it up or down, use the wheel or the arrow keys; a double click sets the default."""

    turned = pyqtSignal(float)
    """The hand turned it to this value."""

    def __init__(self, knob: Knob) -> None:
        super().__init__()
        self._knob, self._value = knob, knob.default
        self._grip: tuple[float, float] | None = None  # where the mouse took hold: its height, the knob's fraction
        self.setFixedSize(QSize(66, 66))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.SizeVerCursor)
        self.setAccessibleName(f"{knob.name} dial")

    @property
    def held(self) -> bool:
        """Whether the mouse is turning it."""
        return self._grip is not None

    def show_value(self, value: float) -> None:
        """Point to `value` without saying so."""
        self._value = value
        self.setAccessibleDescription(self._knob.text(value))
        self.update()

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Take hold."""
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            self._grip = event.position().y(), fraction_of(self._knob, self._value)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Turn; with Shift held, five times as fine."""
        if event is None or self._grip is None:
            return
        height, fraction = self._grip
        fine = 5 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
        self._turn_to(value_at(self._knob, fraction + (height - event.position().y()) / _TRAVEL / fine))

    def mouseReleaseEvent(self, _event: QMouseEvent | None) -> None:
        """Let go."""
        self._grip = None

    def mouseDoubleClickEvent(self, _event: QMouseEvent | None) -> None:
        """Back to the default."""
        self._turn_to(self._knob.default)

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        """A notch is a small turn."""
        if event is not None:
            notches = event.angleDelta().y() / 120
            self._turn_to(turned(self._knob, self._value, math.ceil(notches) if notches > 0 else math.floor(notches)))
            event.accept()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Arrows, Page Up and Page Down, Home and End."""
        if event is None:
            return
        key = event.key()
        if key in _TURNS:
            self._turn_to(turned(self._knob, self._value, _TURNS[key]))
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self._turn_to(self._knob.low if key == Qt.Key.Key_Home else self._knob.high)
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, _event: QFocusEvent | None) -> None:
        """Show the focus."""
        self.update()

    def focusOutEvent(self, _event: QFocusEvent | None) -> None:
        """Hide the focus."""
        self.update()

    def paintEvent(self, _event: QPaintEvent | None) -> None:
        """The travel, how much of it is turned, the knob with its pointer."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ring = QRectF(self.rect()).adjusted(5, 5, -5, -5)
        fraction = fraction_of(self._knob, self._value)
        for colour, share in ((LINE, 1.0), (PARTS["partner"], fraction)):
            painter.setPen(QPen(colour, 5, cap=Qt.PenCapStyle.RoundCap))
            painter.drawArc(ring, int(_START * 16), int(_SWEEP * share * 16))
        painter.setPen(QPen(TEXT if self.hasFocus() else RAISED, 1.5))
        painter.setBrush(RAISED)
        painter.drawEllipse(ring.adjusted(8, 8, -8, -8))
        angle, centre = math.radians(_START + _SWEEP * fraction), ring.center()
        outward = QPointF(math.cos(angle), -math.sin(angle))
        painter.setPen(QPen(TEXT if self.isEnabled() else MUTED, 3, cap=Qt.PenCapStyle.RoundCap))
        painter.drawLine(centre + outward * 9, centre + outward * 16)

    def _turn_to(self, value: float) -> None:
        if value != self._value:
            self.show_value(value)
            self.turned.emit(value)


class Value(QDoubleSpinBox):
    """The value with its unit; typed values are taken when the typing ends, not at every digit."""

    def __init__(self, knob: Knob) -> None:
        super().__init__()
        self._knob = knob
        self.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setKeyboardTracking(False)
        self.setDecimals(0 if knob.integral else 2)
        self.setRange(knob.low, knob.high)
        self.setSuffix(f" {knob.unit}" if knob.unit else "")
        self.setAccessibleName(knob.name)
        self.setAccessibleDescription(knob.help)

    def stepBy(self, steps: int) -> None:
        """As many small turns of the knob."""
        self.setValue(turned(self._knob, self.value(), steps))


class KnobControl(QWidget):
    """One of improv.knobs.KNOBS under the hand: its name, a dial, the value with its unit."""

    command = pyqtSignal(object)
    """A SetKnob, when the hand changed the value."""

    def __init__(self, knob: Knob, value: float) -> None:
        super().__init__()
        self._knob = knob
        self.dial, self.value = Dial(knob), Value(knob)
        self.setToolTip(f"{knob.name}: {knob.help}")
        self.setFixedWidth(112)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        for widget in (label(knob.name, "caption"), self.dial, self.value):
            layout.addWidget(widget, alignment=Qt.AlignmentFlag.AlignHCenter)
        self.value.setFixedWidth(104)
        self.dial.show_value(value)
        self.value.setValue(value)
        self.dial.turned.connect(self.value.setValue)
        self.value.valueChanged.connect(self._tell)

    def show_value(self, value: float) -> None:
        """Show what the engine reports, without sending it back; a hand on the knob goes first."""
        typing = self.value.lineEdit()
        if self.dial.held or value == self.value.value() or (typing is not None and typing.isModified()):
            return
        self.dial.show_value(value)
        self.value.blockSignals(True)
        self.value.setValue(value)
        self.value.blockSignals(False)

    def _tell(self, value: float) -> None:
        value = self._knob.check(value)
        self.dial.show_value(value)
        self.command.emit(SetKnob(self._knob.name, value))

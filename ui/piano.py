"""The on-screen piano: shows what sounds; played with the mouse and, through ui.keys, with the computer's keys."""

from collections.abc import Hashable

from PyQt6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QResizeEvent
from PyQt6.QtWidgets import QSizePolicy, QWidget

from improv.live.messages import PlayNote, Sounded
from ui.style import BACKGROUND, LINE, MUTED, PARTS, font

LOW, HIGH = 21, 108
_WHITE, _DARK, _EDGE = QColor("#e9e7e1"), QColor("#1b2028"), QColor("#8b8880")
_BLACK = frozenset({1, 3, 6, 8, 10})
_MOUSE = "mouse"


class Piano(QWidget):
    """88 keys. A key may be held down by several things at once; it goes up when the last of them lets go."""

    command = pyqtSignal(object)
    """A PlayNote."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("on-screen piano")
        self.setAccessibleDescription("play it with the mouse, or with the letters drawn on its keys")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setMinimumHeight(104)
        self.setMaximumHeight(190)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._held: dict[Hashable, int] = {}
        self._sounding: dict[str, set[int]] = {part: set() for part in PARTS}
        self._hints: dict[int, str] = {}
        self._rects: dict[int, QRectF] = {}

    def sizeHint(self) -> QSize:
        """As wide as there is room, an eighth as high."""
        return QSize(1000, 130)

    def press(self, source: Hashable, pitch: int, velocity: int) -> None:
        """`source` (a computer key, the mouse) puts the key `pitch` down."""
        if LOW <= pitch <= HIGH and source not in self._held:
            already = pitch in self._held.values()
            self._held[source] = pitch
            if not already:
                self.command.emit(PlayNote(pitch, velocity))
            self.update()

    def release(self, source: Hashable) -> None:
        """`source` lets go of its key, if it holds one."""
        pitch = self._held.pop(source, None)
        if pitch is not None and pitch not in self._held.values():
            self.command.emit(PlayNote(pitch, 0))
        self.update()

    def release_all(self) -> None:
        """Every held key goes up."""
        for source in list(self._held):
            self.release(source)

    def hear(self, sounded: Sounded) -> None:
        """Light or darken the key of a note that began or ended."""
        if sounded.velocity:
            self._sounding[sounded.part].add(sounded.pitch)
        else:
            self._sounding[sounded.part].discard(sounded.pitch)
        self.update()

    def silence(self) -> None:
        """Darken every key."""
        for pitches in self._sounding.values():
            pitches.clear()
        self.update()

    def set_hints(self, hints: dict[int, str]) -> None:
        """What to write on the keys, by pitch."""
        self._hints = hints
        self.update()

    def key_rect(self, pitch: int) -> QRectF:
        """Where the key lies, in pixels of the widget."""
        return self._rects[pitch]

    def pitch_at(self, point: QPointF) -> int | None:
        """The key under `point`, the black ones lying on top."""
        hit = [pitch for pitch, rect in self._rects.items() if rect.contains(point)]
        return max(hit, key=_is_black, default=None)

    def resizeEvent(self, _event: QResizeEvent | None) -> None:
        """Lay the keys out anew."""
        white = [pitch for pitch in range(LOW, HIGH + 1) if not _is_black(pitch)]
        width, height = self.width() / len(white), self.height()
        edges = [round(i * width) for i in range(len(white) + 1)]  # whole pixels: every gap is as wide
        self._rects = {
            pitch: QRectF(left, 0, right - left, height)
            for pitch, left, right in zip(white, edges, edges[1:], strict=False)
        }
        for pitch in filter(_is_black, range(LOW, HIGH + 1)):
            right = self._rects[pitch - 1].right()
            self._rects[pitch] = QRectF(round(right - width * 0.33), 0, round(width * 0.66), round(height * 0.62))

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Put the key under the mouse down; the nearer to its front edge, the louder."""
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            self._point(event.position())

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Slide from key to key; off the piano, let go."""
        if event is not None and event.buttons() & Qt.MouseButton.LeftButton:
            self._point(event.position())

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """Let go of the mouse's key."""
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            self.release(_MOUSE)

    def leaveEvent(self, _event: QEvent | None) -> None:
        """Let go of the mouse's key."""
        self.release(_MOUSE)

    def paintEvent(self, _event: QPaintEvent | None) -> None:
        """White keys, black keys, what sounds, the hints."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), BACKGROUND)
        for pitch, rect in self._rects.items():  # the black keys were laid out last, so they are painted on top
            self._paint_key(painter, pitch, rect.adjusted(0, 0, -1, -1))

    def _point(self, point: QPointF) -> None:
        pitch = self.pitch_at(point)
        if pitch == self._held.get(_MOUSE):
            return
        self.release(_MOUSE)
        if pitch is not None:
            depth = point.y() / self._rects[pitch].height()
            self.press(_MOUSE, pitch, 50 + int(60 * depth))

    def _paint_key(self, painter: QPainter, pitch: int, rect: QRectF) -> None:
        dark = _is_black(pitch)
        painter.fillRect(rect, _DARK if dark else _WHITE)
        lit = [PARTS[part] for part, pitches in self._sounding.items() if pitch in pitches]
        if not lit and pitch in self._held.values():
            lit = [LINE if dark else _EDGE]  # pressed, not yet reported as sounding
        for i, colour in enumerate(lit):  # sounding in both parts: one half each
            share = rect.width() / len(lit)
            painter.fillRect(QRectF(rect.left() + i * share, rect.top(), share, rect.height()), colour)
        if dark:
            painter.setPen(BACKGROUND)
            painter.drawRect(rect)
        ink = _DARK if lit or not dark else _WHITE
        self._write(painter, pitch, rect, ink)

    def _write(self, painter: QPainter, pitch: int, rect: QRectF, ink: QColor) -> None:
        bottom = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignBottom
        if pitch in self._hints:
            painter.setPen(ink)
            painter.setFont(font(min(11, int(rect.height() / 6)), bold=True))
            room = rect.adjusted(-4, 0, 4, -4 if _is_black(pitch) else -18)
            painter.drawText(room, bottom, self._hints[pitch])
        if pitch % 12 == 0:
            painter.setPen(_EDGE.darker(140) if ink == _DARK else MUTED)
            painter.setFont(font(9))
            painter.drawText(rect.adjusted(-4, 0, 4, -3), bottom, f"C{pitch // 12 - 1}")


def _is_black(pitch: int) -> bool:
    return pitch % 12 in _BLACK

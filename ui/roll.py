"""The scrolling piano-roll: time runs to the left, what sounds now is born at the right."""

import math

from PyQt6.QtCore import QLineF, QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QPainter, QPaintEvent, QPixmap
from PyQt6.QtWidgets import QSizePolicy, QWidget

from improv.live.messages import Sounded
from ui.notes import Note, Notes
from ui.style import BACKGROUND, LINE, MUTED, PARTS, RAISED, SURFACE, TEXT, font

_GUTTER, _HEAD, _AHEAD = 70, 34, 28  # pixels: pitch names at the left, bar numbers on top, room right of the present
_BEAT_WIDTH = 44.0
_BLACK = frozenset({1, 3, 6, 8, 10})
_RANGE = (48, 84)
_WORDS = {"player": "you", "partner": "partner"}


class Roll(QWidget):
    """Draws the notes of both parts up to the present beat; knows nothing about where they come from."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("piano-roll")
        self.setAccessibleDescription("the player's notes in amber, the partner's in blue")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(120)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._notes = Notes()
        self._low, self._high = _RANGE
        self._beat, self._bar_beats = 0.0, 4.0
        self._invitation = ""
        self._still, self._still_for = QPixmap(), (QSize(), 0.0, 0, 0)

    def sizeHint(self) -> QSize:
        """Room for some bars."""
        return QSize(1000, 320)

    def hear(self, sounded: Sounded) -> None:
        """Take in a note's begin or end; the shown range grows by octaves to hold it."""
        self._notes.hear(sounded)
        while sounded.pitch < self._low:
            self._low -= 12
        while sounded.pitch >= self._high:
            self._high += 12
        self.update()

    def end_notes(self) -> None:
        """End what sounds at the present: the music has stopped."""
        self._notes.end_all(self._beat)
        self.update()

    def set_beat(self, beat: float, bar_beats: float) -> None:
        """Move the present to `beat`; a bar has `bar_beats` beats."""
        if (beat, bar_beats) != (self._beat, self._bar_beats):
            self._beat, self._bar_beats = beat, bar_beats
            self.update()

    def invite(self, text: str) -> None:
        """What to say as long as there is no note to draw."""
        if text != self._invitation:
            self._invitation = text
            self.update()

    def clear(self) -> None:
        """Empty the roll for a new take."""
        self._notes.clear()
        self._low, self._high = _RANGE
        self.update()

    def note_rect(self, note: Note) -> QRectF:
        """Where `note` lies, in pixels of the widget; at least a sliver, so that no note is too short to see."""
        begin, end = self._x(note.begin), self._x(self._beat if note.end is None else note.end)
        row = self._row
        inset = row * 0.2 if note.part == "player" and row >= 8 else 0.0  # a unison shows both parts
        return QRectF(begin, self._y(note.pitch) + inset, max(end - begin - 1, 4), max(row - 2 * inset - 1, 2))

    def paintEvent(self, _event: QPaintEvent | None) -> None:
        """What stands still, then what moves over it: bars, notes, the present; or, without a note, the words."""
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._background())
        painter.setClipRect(QRectF(_GUTTER, 0, self.width(), self.height()))
        self._paint_bars(painter)
        self._paint_notes(painter)
        painter.fillRect(QRectF(self.width() - _AHEAD, 0, 1.5, self.height()), TEXT)
        if not len(self._notes):
            painter.setPen(MUTED)
            painter.setFont(font(15))
            field = self.rect().adjusted(_GUTTER + 8, _HEAD, -_AHEAD - 8, 0)
            painter.drawText(field, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self._invitation)

    @property
    def _row(self) -> float:
        """Height of one pitch, in pixels."""
        return (self.height() - _HEAD) / (self._high - self._low)

    def _x(self, beat: float) -> float:
        return self.width() - _AHEAD - (self._beat - beat) * _BEAT_WIDTH

    def _y(self, pitch: int) -> float:
        return _HEAD + (self._high - 1 - pitch) * self._row

    def _background(self) -> QPixmap:
        """The rows of the keys, their names and the legend: painted once, not sixty times a second."""
        ratio = self.devicePixelRatioF()
        wanted = self.size(), ratio, self._low, self._high
        if wanted != self._still_for:
            self._still, self._still_for = QPixmap(self.size() * ratio), wanted
            self._still.setDevicePixelRatio(ratio)
            self._still.fill(SURFACE)
            painter = QPainter(self._still)
            self._paint_rows(painter)
            self._paint_gutter(painter)
            painter.end()
        return self._still

    def _paint_rows(self, painter: QPainter) -> None:
        row = self._row
        for pitch in range(self._low, self._high):
            if pitch % 12 in _BLACK:
                painter.fillRect(QRectF(0, self._y(pitch), self.width(), row), BACKGROUND)
        for pitch in range(self._low, self._high, 12):
            bottom = self._y(pitch) + row
            painter.setPen(RAISED)
            painter.drawLine(QLineF(0, bottom, self.width(), bottom))

    def _paint_bars(self, painter: QPainter) -> None:
        first = max(0.0, self._beat - (self.width() - _AHEAD) / _BEAT_WIDTH)
        last = self._beat + _AHEAD / _BEAT_WIDTH
        painter.setPen(RAISED)
        for beat in range(math.ceil(first), math.ceil(last)):
            painter.drawLine(QLineF(self._x(beat), _HEAD, self._x(beat), self.height()))
        painter.setFont(font(11))
        for bar in range(math.floor(first / self._bar_beats), math.ceil(last / self._bar_beats)):
            x = self._x(bar * self._bar_beats)
            painter.setPen(LINE)
            painter.drawLine(QLineF(x, 4, x, self.height()))
            if x >= _GUTTER:  # half a number would be another
                painter.setPen(MUTED)
                painter.drawText(QRectF(x + 5, 0, 60, _HEAD), Qt.AlignmentFlag.AlignVCenter, str(bar + 1))

    def _paint_notes(self, painter: QPainter) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        oldest = self._beat - self.width() / _BEAT_WIDTH
        shown = [note for note in self._notes if note.end is None or note.end > oldest]
        for note in sorted(shown, key=lambda note: note.part == "player"):  # the player's lie on top
            painter.setBrush(_SOUNDING[note.part] if note.end is None else _INKS[note.part][note.velocity])
            painter.drawRoundedRect(self.note_rect(note), 2.5, 2.5)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _paint_gutter(self, painter: QPainter) -> None:
        painter.fillRect(QRectF(0, 0, _GUTTER, self.height()), RAISED)
        painter.setFont(font(10))
        painter.setPen(MUTED)
        for pitch in range(self._low, self._high, 12):
            field = QRectF(0, self._y(pitch) + self._row - 14, _GUTTER - 6, 14)
            painter.drawText(field, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, f"C{pitch // 12 - 1}")
        self._paint_legend(painter)

    def _paint_legend(self, painter: QPainter) -> None:
        """In the corner where neither notes nor bar numbers come."""
        painter.setFont(font(11, bold=True))
        painter.setPen(TEXT)
        line = _HEAD / len(PARTS)
        for i, part in enumerate(PARTS):
            field = QRectF(0, i * line, _GUTTER, line)
            painter.fillRect(QRectF(5, field.center().y() - 3, 7, 7), PARTS[part])
            painter.drawText(field.adjusted(16, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, _WORDS[part])


def _ink(part: str, velocity: int) -> QColor:
    """The part's colour, the fainter the softer the note; opaque, so that a unison stays clear."""
    share = 0.55 + 0.45 * velocity / 127
    pairs = zip(PARTS[part].getRgb()[:3], SURFACE.getRgb()[:3], strict=True)
    return QColor(*(round(share * ink + (1 - share) * ground) for ink, ground in pairs))


_SOUNDING = {part: colour.lighter(118) for part, colour in PARTS.items()}
_INKS = {part: [_ink(part, velocity) for velocity in range(128)] for part in PARTS}

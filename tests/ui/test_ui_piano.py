import pytest
from PyQt6.QtCore import QEvent, QPoint, Qt
from PyQt6.QtGui import QColor
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication

from improv.live.messages import PlayNote, Sounded
from ui.piano import HIGH, LOW, Piano
from ui.style import PARTS

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def piano(qtbot) -> Piano:
    piano = Piano()
    qtbot.addWidget(piano)
    piano.resize(1040, 120)
    piano.show()
    return piano


@pytest.fixture
def sent(piano) -> list[PlayNote]:
    notes: list[PlayNote] = []
    piano.command.connect(notes.append)
    return notes


def spot(piano: Piano, pitch: int) -> QPoint:
    rect = piano.key_rect(pitch)
    return QPoint(int(rect.center().x()), int(rect.bottom()) - 4)


def colour(piano: Piano, pitch: int) -> QColor:
    return piano.grab().toImage().pixelColor(spot(piano, pitch) - QPoint(4, 28))


@pytest.mark.parametrize("pitch", range(LOW, HIGH + 1))
def test_every_key_can_be_hit(piano, pitch):
    assert piano.pitch_at(spot(piano, pitch).toPointF()) == pitch


def test_the_mouse_plays_a_note(piano, sent):
    QTest.mousePress(piano, LEFT, pos=spot(piano, 60))
    assert [(note.pitch, note.velocity > 0) for note in sent] == [(60, True)]
    QTest.mouseRelease(piano, LEFT, pos=spot(piano, 60))
    assert sent[1:] == [PlayNote(60, 0)]


def test_the_front_of_a_key_is_louder(piano, sent):
    for y in (5, 110):
        QTest.mouseClick(piano, LEFT, pos=QPoint(spot(piano, 62).x(), y))
    struck = [note.velocity for note in sent if note.velocity]
    assert 0 < struck[0] < struck[1] <= 127


def test_the_mouse_slides_from_key_to_key(piano, sent):
    QTest.mousePress(piano, LEFT, pos=spot(piano, 60))
    QTest.mouseMove(piano, spot(piano, 62))
    QTest.mouseRelease(piano, LEFT, pos=spot(piano, 62))
    assert [(note.pitch, note.velocity > 0) for note in sent] == [(60, True), (60, False), (62, True), (62, False)]


def test_the_mouse_lets_go_when_it_is_dragged_off(piano, sent):
    QTest.mousePress(piano, LEFT, pos=spot(piano, 60))
    QTest.mouseMove(piano, QPoint(50, -60))
    assert sent[-1] == PlayNote(60, 0)


def test_the_mouse_lets_go_when_it_leaves(piano, sent):
    QTest.mousePress(piano, LEFT, pos=spot(piano, 60))
    QApplication.sendEvent(piano, QEvent(QEvent.Type.Leave))
    assert sent[-1] == PlayNote(60, 0)


def test_a_key_goes_up_when_the_last_finger_lets_go(piano, sent):
    piano.press("left hand", 60, 80)
    piano.press("right hand", 60, 90)
    piano.release("left hand")
    assert sent == [PlayNote(60, 80)]
    piano.release("right hand")
    assert sent == [PlayNote(60, 80), PlayNote(60, 0)]


def test_release_all_lets_go_of_every_key(piano, sent):
    for pitch in (60, 64, 67):
        piano.press(pitch, pitch, 80)
    del sent[:]
    piano.release_all()
    assert sorted(note.pitch for note in sent) == [60, 64, 67]
    assert not any(note.velocity for note in sent)


def test_sounding_keys_light_up_in_the_colour_of_their_part(piano):
    dark = colour(piano, 60)
    piano.hear(Sounded("player", 60, 90, 0.0))
    piano.hear(Sounded("partner", 64, 90, 0.0))
    assert (colour(piano, 60), colour(piano, 64)) == (PARTS["player"], PARTS["partner"])
    piano.hear(Sounded("player", 60, 0, 1.0))
    assert colour(piano, 60) == dark


def test_a_key_that_sounds_in_both_parts_shows_both(piano):
    for part in PARTS:
        piano.hear(Sounded(part, 60, 90, 0.0))
    rect = piano.key_rect(60).toRect()
    image = piano.grab().toImage()
    row = {image.pixelColor(x, rect.bottom() - 25).name() for x in range(rect.left(), rect.right())}
    assert {part.name() for part in PARTS.values()} <= row

import pytest
from PyQt6.QtGui import QColor, QImage

from improv.live.messages import Sounded
from ui.notes import Note
from ui.roll import Roll
from ui.style import PARTS


@pytest.fixture
def roll(qtbot) -> Roll:
    roll = Roll()
    qtbot.addWidget(roll)
    roll.resize(800, 400)
    roll.show()
    return roll


def centre_colour(roll: Roll, note: Note) -> QColor:
    image: QImage = roll.grab().toImage()
    return image.pixelColor(roll.note_rect(note).center().toPoint() * int(image.devicePixelRatio()))


def nearest_part(colour: QColor) -> str:
    def distance(part: str) -> int:
        return sum((a - b) ** 2 for a, b in zip(colour.getRgb()[:3], PARTS[part].getRgb()[:3], strict=True))

    return min(PARTS, key=distance)


@pytest.mark.parametrize("velocity", [1, 64, 127])
def test_the_two_parts_are_told_apart_by_colour(roll, velocity):
    for part, pitch in (("player", 72), ("partner", 60)):
        roll.hear(Sounded(part, pitch, velocity, 1.0))
        roll.hear(Sounded(part, pitch, 0, 3.0))
    roll.set_beat(4.0, 4.0)
    for part, pitch in (("player", 72), ("partner", 60)):
        assert nearest_part(centre_colour(roll, Note(part, pitch, velocity, 1.0, 3.0))) == part


def test_a_unison_shows_both(roll):
    for part in PARTS:
        roll.hear(Sounded(part, 60, 100, 1.0))
    roll.set_beat(4.0, 4.0)
    image = roll.grab().toImage()
    rect = roll.note_rect(Note("partner", 60, 100, 1.0))
    x = int(rect.center().x())
    column = {nearest_part(image.pixelColor(x, y)) for y in range(int(rect.top()) + 1, int(rect.bottom()))}
    assert column == set(PARTS)


def test_notes_run_to_the_left_as_time_goes_on(roll):
    note = Note("player", 60, 90, 1.0, 2.0)
    roll.set_beat(2.0, 4.0)
    before = roll.note_rect(note)
    roll.set_beat(3.0, 4.0)
    after = roll.note_rect(note)
    assert after.left() < before.left()
    assert after.width() == before.width()


def test_the_shortest_note_can_be_seen(roll):
    assert roll.note_rect(Note("player", 60, 90, 1.0, 1.0)).width() >= 3


@pytest.mark.parametrize("pitch", [21, 108])
def test_the_lowest_and_the_highest_key_find_their_place(roll, pitch):
    roll.hear(Sounded("player", pitch, 90, 0.0))
    rect = roll.note_rect(Note("player", pitch, 90, 0.0))
    assert rect.top() >= 0
    assert rect.bottom() <= roll.height()


def test_is_empty_after_clear(roll):
    empty = roll.grab().toImage()
    roll.hear(Sounded("player", 60, 90, 0.0))
    roll.set_beat(1.0, 4.0)
    roll.set_beat(0.0, 4.0)
    assert roll.grab().toImage() != empty
    roll.clear()
    assert roll.grab().toImage() == empty

import pytest
from PyQt6.QtCore import QEvent, Qt
from PyQt6.QtGui import QKeyEvent
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication

from improv.live.messages import Panic, Play, PlayNote, SetMode
from ui.keys import LETTERS


def notes(stage) -> list[tuple[int, bool]]:
    return [(note.pitch, note.velocity > 0) for note in stage.engine.sent if isinstance(note, PlayNote)]


def repeat(widget, key: Qt.Key) -> None:
    """What a held key does: the system lets go and presses again, many times a second."""
    for kind in (QEvent.Type.KeyRelease, QEvent.Type.KeyPress):
        QApplication.sendEvent(widget, QKeyEvent(kind, key, Qt.KeyboardModifier.NoModifier, "", True))


def test_the_letters_are_a_piano_from_middle_c(stage):
    for letter in LETTERS:
        QTest.keyClick(stage.panel, Qt.Key[f"Key_{letter}"])
    assert notes(stage) == [(60 + i, down) for i in range(len(LETTERS)) for down in (True, False)]


def test_a_held_letter_is_one_note(stage):
    QTest.keyPress(stage.panel, Qt.Key.Key_A)
    for _ in range(5):
        repeat(stage.panel, Qt.Key.Key_A)
    assert notes(stage) == [(60, True)]
    QTest.keyRelease(stage.panel, Qt.Key.Key_A)
    assert notes(stage) == [(60, True), (60, False)]


def test_chords(stage):
    for key in (Qt.Key.Key_A, Qt.Key.Key_D, Qt.Key.Key_G):
        QTest.keyPress(stage.panel, key)
    assert notes(stage) == [(60, True), (64, True), (67, True)]


def test_a_window_that_loses_the_focus_lets_go(stage):
    QTest.keyPress(stage.panel, Qt.Key.Key_A)
    QApplication.sendEvent(stage.panel, QEvent(QEvent.Type.WindowDeactivate))
    assert notes(stage) == [(60, True), (60, False)]


@pytest.mark.parametrize(("key", "shift"), [(Qt.Key.Key_Z, -12), (Qt.Key.Key_X, 12)])
def test_z_and_x_shift_by_an_octave(stage, key, shift):
    QTest.keyClick(stage.panel, key)
    QTest.keyClick(stage.panel, Qt.Key.Key_A)
    assert notes(stage) == [(60 + shift, True), (60 + shift, False)]


def test_a_shift_never_leaves_the_piano(stage):
    for key in (Qt.Key.Key_Z, Qt.Key.Key_X):
        for _ in range(12):
            QTest.keyClick(stage.panel, key)
        for letter in LETTERS:
            QTest.keyClick(stage.panel, Qt.Key[f"Key_{letter}"])
    assert len(notes(stage)) == 4 * len(LETTERS)
    assert all(21 <= pitch <= 108 for pitch, _ in notes(stage))


def test_a_note_held_across_a_shift_ends_as_it_began(stage):
    QTest.keyPress(stage.panel, Qt.Key.Key_A)
    QTest.keyClick(stage.panel, Qt.Key.Key_X)
    QTest.keyRelease(stage.panel, Qt.Key.Key_A)
    assert notes(stage) == [(60, True), (60, False)]


@pytest.mark.parametrize("place", ["choices.key", "choices.input", "choices.model", "transport.panic"])
def test_the_music_is_played_wherever_the_focus_is(stage, place):
    widget = stage.panel
    for name in place.split("."):
        widget = getattr(widget, name)
    widget.setFocus()
    QTest.keyClick(widget, Qt.Key.Key_A)
    QTest.keyClick(widget, Qt.Key.Key_Space)
    QTest.keyClick(widget, Qt.Key.Key_Escape)
    assert notes(stage) == [(60, True), (60, False)]
    assert stage.engine.sent[2:] == [Play(), Panic()]


def test_return_presses_the_focused_button(stage, qtbot):
    button = stage.panel.choices.mode_button("trade")
    stage.panel.activateWindow()
    button.setFocus()
    qtbot.waitUntil(button.hasFocus)
    QTest.keyClick(button, Qt.Key.Key_Return)
    assert stage.engine.sent == [SetMode("trade")]


def test_shortcuts_of_the_desktop_are_left_alone(stage):
    QTest.keyClick(stage.panel, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    assert notes(stage) == []

import pytest
from fingers import click, release
from PyQt6.QtCore import QEvent, Qt
from PyQt6.QtGui import QKeyEvent
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication

from improv.live.messages import Panic, Play, PlayNote, SetMode
from ui.keys import BOUNCE_MS, LETTERS


def notes(stage) -> list[tuple[int, bool]]:
    return [(note.pitch, note.velocity > 0) for note in stage.engine.sent if isinstance(note, PlayNote)]


def repeat(widget, key: Qt.Key, marked: bool) -> None:
    """What a held key does: the system lets go and presses again, many times a second; X may not mark it as such."""
    for kind in (QEvent.Type.KeyRelease, QEvent.Type.KeyPress):
        QApplication.sendEvent(widget, QKeyEvent(kind, key, Qt.KeyboardModifier.NoModifier, "", marked))


def test_the_letters_are_a_piano_from_middle_c(stage):
    for letter in LETTERS:
        click(stage.panel, Qt.Key[f"Key_{letter}"])
    assert notes(stage) == [(60 + i, down) for i in range(len(LETTERS)) for down in (True, False)]


@pytest.mark.parametrize("marked", [True, False])
def test_a_held_letter_is_one_note(stage, marked):
    QTest.keyPress(stage.panel, Qt.Key.Key_A)
    for _ in range(5):
        repeat(stage.panel, Qt.Key.Key_A, marked)
        QTest.qWait(BOUNCE_MS)
    assert notes(stage) == [(60, True)]
    release(stage.panel, Qt.Key.Key_A)
    assert notes(stage) == [(60, True), (60, False)]


@pytest.mark.parametrize("marked", [True, False])
def test_a_held_space_bar_plays_once(stage, marked):
    QTest.keyPress(stage.panel, Qt.Key.Key_Space)
    for _ in range(5):
        repeat(stage.panel, Qt.Key.Key_Space, marked)
    assert stage.engine.sent == [Play()]


def test_a_letter_struck_again_is_two_notes(stage):
    for _ in range(2):
        click(stage.panel, Qt.Key.Key_A)
    assert notes(stage) == [(60, True), (60, False)] * 2


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
    click(stage.panel, key)
    click(stage.panel, Qt.Key.Key_A)
    assert notes(stage) == [(60 + shift, True), (60 + shift, False)]


def test_a_shift_never_leaves_the_piano(stage):
    for key in (Qt.Key.Key_Z, Qt.Key.Key_X):
        for _ in range(6):
            click(stage.panel, key)
        for letter in (LETTERS[0], LETTERS[-1]):
            click(stage.panel, Qt.Key[f"Key_{letter}"])
    assert len(notes(stage)) == 8
    assert all(21 <= pitch <= 108 for pitch, _ in notes(stage))


def test_a_note_held_across_a_shift_ends_as_it_began(stage):
    QTest.keyPress(stage.panel, Qt.Key.Key_A)
    click(stage.panel, Qt.Key.Key_X)
    release(stage.panel, Qt.Key.Key_A)
    assert notes(stage) == [(60, True), (60, False)]


@pytest.mark.parametrize("place", ["choices.key", "choices.input", "choices.model", "transport.panic"])
def test_the_music_is_played_wherever_the_focus_is(stage, place):
    widget = stage.panel
    for name in place.split("."):
        widget = getattr(widget, name)
    widget.setFocus()
    click(widget, Qt.Key.Key_A)
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

import re
import subprocess
import sys

import pytest
from fingers import click
from look import words
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QIcon
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QWidget

from improv.live.messages import (
    Notice,
    Panic,
    Play,
    Problem,
    SetKnob,
    SetMode,
    SetModel,
    Sounded,
    Stop,
    TakeKept,
)
from improv.live.modes import MODES
from improv.resources import asset

LEFT = Qt.MouseButton.LeftButton


# --- opening ------------------------------------------------------------------------------------------------------


def test_opening_imports_nothing_heavy():
    program = (
        "import sys, ui.panel; print([n for n in ('torch', 'rtmidi', 'numba', 'sounddevice') if n in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.strip() == "[]"


def test_the_window_is_up_while_the_model_loads(open_stage):
    stage = open_stage()
    assert stage.panel.isVisible()
    assert "loading the model" in words(stage.panel)
    assert not stage.panel.transport.play.isEnabled()
    stage.engine.stand("stopped")
    stage.poll()
    assert stage.panel.transport.play.isEnabled()


def test_shows_the_settings_it_was_opened_with(open_stage):
    knobs = {"tempo": 96.0, "temperature": 0.8, "k": 50.0}
    stage = open_stage(mode="trade", key="F# minor", input="Keystation", outputs=["virtual", "x.mid"], knobs=knobs)
    panel = stage.panel
    assert {name: knob.value.value() for name, knob in panel.knobs.items()} == knobs
    assert panel.choices.mode_button("trade").isChecked()
    assert (panel.choices.key.chosen, panel.choices.input.chosen) == ("F# minor", "Keystation")
    assert panel.choices.output.text() == "improv out, x.mid"
    assert panel.choices.model.text() == "partner.pt"


def test_without_a_display_there_is_one_clear_line():
    program = (
        "import sys; sys.platform = 'linux'\n"
        "from improv.errors import ImprovError; from improv.live.process import Settings; import ui.panel\n"
        "try: ui.panel.open_panel(Settings('m.pt'))\n"
        "except ImprovError as error: print(error)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={}, timeout=60, check=True
    )
    assert "--headless" in run.stdout


@pytest.mark.usefixtures("qapp")
def test_the_icon_can_be_drawn():
    assert not QIcon(str(asset("icon.svg"))).pixmap(64, 64).isNull()


# --- commands -----------------------------------------------------------------------------------------------------


def test_play_stop_and_panic(stage):
    transport = stage.panel.transport
    QTest.mouseClick(transport.play, LEFT)
    stage.engine.stand("playing")
    stage.poll()
    QTest.mouseClick(transport.panic, LEFT)
    QTest.mouseClick(transport.stop, LEFT)
    assert stage.engine.sent == [Play(), Panic(), Stop()]


def test_the_space_bar_plays_and_stops(stage):
    click(stage.panel, Qt.Key.Key_Space)
    stage.engine.stand("playing")
    stage.poll()
    click(stage.panel, Qt.Key.Key_Space)
    assert stage.engine.sent == [Play(), Stop()]


def test_every_mode_can_be_chosen(stage):
    for name in MODES:
        QTest.mouseClick(stage.panel.choices.mode_button(name), LEFT)
    assert stage.engine.sent == [SetMode(name) for name in MODES]


def test_a_knob_turned_elsewhere_turns_on_the_panel(stage):
    stage.engine.stand("stopped", knobs={"tempo": 72.0, "temperature": 1.5, "k": 30.0})
    stage.poll()
    assert {name: knob.value.value() for name, knob in stage.panel.knobs.items()} == {
        "tempo": 72,
        "temperature": 1.5,
        "k": 30,
    }
    assert stage.engine.sent == []


def test_a_report_from_before_a_turn_does_not_turn_the_knob_back(stage):
    QTest.keyClick(stage.panel.knobs["tempo"].dial, Qt.Key.Key_Up)
    stage.engine.stand("stopped")
    stage.poll()
    assert stage.panel.knobs["tempo"].value.value() == 121
    assert stage.engine.sent == [SetKnob("tempo", 121)]


# --- reports ------------------------------------------------------------------------------------------------------


def test_says_where_the_music_stands(stage, qtbot):
    stage.play()
    stage.engine.stand("playing", 9.5, bar_beats=4.0, key="G major", turn="player", missed=2, compute_ms=0.4)
    stage.poll()
    qtbot.waitUntil(lambda: re.search(r"^3\.[2-4]$", words(stage.panel), re.MULTILINE))  # it runs on meanwhile
    said = words(stage.panel)
    assert all(word in said for word in ("G major", "your turn", "2 missed frames", "0.4 ms"))


def test_notes_appear_while_it_plays(stage):
    stage.play()
    stage.engine.say(Sounded("partner", 60, 90, 0.0))
    before = stage.panel.roll.grab().toImage()
    stage.poll()
    assert stage.panel.roll.grab().toImage() != before


def test_a_new_take_begins_on_an_empty_roll(stage):
    stage.play()
    stage.engine.say(Sounded("partner", 60, 90, 0.0), Sounded("partner", 60, 0, 1.0))
    stage.engine.stand("stopped")
    stage.poll()
    assert len(stage.panel.roll._notes) == 1
    stage.engine.stand("playing")
    stage.poll()
    assert len(stage.panel.roll._notes) == 0


def test_a_problem_is_said_in_its_words_and_can_be_dismissed(stage):
    stage.engine.say(Problem("Keystation is gone; <plug> it in"), Problem("the disk is full"))
    stage.poll()
    banner = stage.panel.banner
    assert banner.isVisible()
    assert banner.text == "Keystation is gone; <plug> it in\nthe disk is full"
    QTest.mouseClick(banner.dismiss, LEFT)
    assert not banner.isVisible()
    assert banner.text == ""


def test_good_news_is_said_without_alarm(stage):
    banner = stage.panel.banner
    stage.engine.say(Notice("Keystation is connected"))
    stage.poll()
    assert (banner.text, banner.property("kind")) == ("Keystation is connected", "notice")
    stage.engine.say(Problem("the disk is full"))
    stage.poll()
    assert banner.property("kind") == "problem"


def test_what_is_well_again_is_no_problem_any_more(stage):
    banner = stage.panel.banner
    stage.engine.say(Problem("Keystation is gone", about="Keystation"), Problem("the disk is full"))
    stage.engine.say(Notice("Keystation is connected", "Keystation"))
    stage.poll()
    assert banner.text == "the disk is full\nKeystation is connected"
    assert banner.property("kind") == "problem"
    stage.engine.say(Problem("Keystation is gone again", about="Keystation"))
    stage.poll()
    assert banner.text == "the disk is full\nKeystation is gone again"


def test_once_all_is_well_again_nothing_alarms(stage):
    stage.engine.say(Problem("Keystation is gone", about="Keystation"), Notice("Keystation is connected", "Keystation"))
    stage.poll()
    assert (stage.panel.banner.text, stage.panel.banner.property("kind")) == ("Keystation is connected", "notice")


def test_the_same_problem_is_said_once(stage):
    stage.engine.say(*[Problem("no sound")] * 5)
    stage.poll()
    assert stage.panel.banner.text == "no sound"


def test_says_where_the_take_was_kept(stage, tmp_path):
    take = stage.panel.status_line.take
    stage.engine.say(TakeKept(str(tmp_path / "nothing.mid"), empty=True))
    stage.poll()
    assert not take.isVisible()
    stage.engine.say(TakeKept(str(tmp_path / "take.mid")))
    stage.poll()
    assert take.isVisible()
    assert take.text().endswith("take.mid")


def test_what_was_said_of_the_last_take_is_not_said_of_the_next(stage, tmp_path):
    stage.engine.say(TakeKept(str(tmp_path / "take.mid")), Problem("Keystation is gone"))
    stage.poll()
    QTest.mouseClick(stage.panel.transport.play, LEFT)
    stage.engine.say(Problem("the disk is full"))
    stage.engine.stand("playing")
    stage.poll()
    assert not stage.panel.status_line.take.isVisible()
    assert stage.panel.banner.text == "the disk is full"


def test_a_model_that_does_not_load_is_said_and_the_old_one_plays_on(stage):
    stage.engine.stand("playing", model="/models/partner.pt")
    stage.poll()
    stage.panel.choices.command.emit(SetModel("/models/broken.pt"))
    stage.engine.say(Problem("broken.pt is not a model of improv"))
    stage.engine.stand("playing", model="/models/partner.pt")
    stage.poll()
    assert stage.panel.banner.text == "broken.pt is not a model of improv"
    assert stage.panel.choices.model.text() == "partner.pt"
    assert stage.panel.settings.model == "/models/partner.pt"
    assert stage.panel.transport.stop.isEnabled()


# --- for every hand -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(900, 600), (1900, 1100)])
def test_nothing_is_cut_off_at_any_size(stage, size, qtbot):
    stage.panel.resize(*size)
    stage.engine.say(*[Problem(f"trouble number {i}") for i in range(3)])
    stage.poll()
    panel = stage.panel
    rows = (panel.transport, panel.choices, panel.banner, panel.roll, panel.piano, panel.status_line)
    qtbot.waitUntil(lambda: all(row.height() >= row.minimumSizeHint().height() for row in rows))
    assert all(panel.rect().contains(row.geometry()) for row in rows)
    assert panel.roll.height() >= 100


def test_every_control_has_a_name_that_a_screen_reader_can_say(stage):
    for widget in stage.panel.findChildren(QWidget):
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.isVisible():
            assert widget.accessibleName() or getattr(widget, "text", str)(), widget

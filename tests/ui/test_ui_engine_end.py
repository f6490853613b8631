"""What the panel makes of an engine that ends."""

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtTest import QTest

from improv.live.messages import TAKE, Play, PlayNote, Problem, SetModel, Sounded, TakeKept

LEFT = Qt.MouseButton.LeftButton


def test_an_engine_that_dies_while_playing_is_started_again_as_it_was_set(stage):
    stage.play()
    stage.engine.say(Sounded("partner", 60, 90, 0.0))
    QTest.mouseClick(stage.panel.choices.mode_button("solo"), LEFT)
    QTest.keyClick(stage.panel.knobs["tempo"].dial, Qt.Key.Key_Up)
    dead = stage.engine
    dead.die(-11)
    stage.poll()
    assert stage.engine is not dead
    assert (stage.engine.settings.mode, stage.engine.settings.knobs["tempo"]) == ("solo", 121)
    assert stage.engine.sent == [Play()]
    assert "signal 11" in stage.panel.banner.text
    assert "was started again" in stage.panel.banner.text
    assert stage.panel.piano._sounding["partner"] == set()
    assert stage.panel.exit_status == 0


@pytest.mark.parametrize("status", [0, 1, -9])
def test_an_engine_that_goes_again_before_it_played_is_offered_to_be_started(stage, status):
    for _ in range(2):
        stage.engine.die(status)
        stage.poll()
    stage.poll()
    panel = stage.panel
    assert len(stage.engines) == 2
    assert "stopped unexpectedly again" in panel.banner.text
    assert panel.isVisible()
    assert not panel.transport.play.isEnabled()
    assert panel.exit_status == 1
    QTest.mouseClick(panel.banner.restart, LEFT)
    stage.engine.stand("stopped")
    stage.poll()
    assert len(stage.engines) == 3
    assert not panel.banner.isVisible()
    assert panel.transport.play.isEnabled()


@pytest.mark.parametrize(("beat", "engines"), [(1.0, 2), (100.0, 3)])
def test_an_engine_that_was_started_again_must_play_for_a_while_to_be_so_once_more(stage, beat, engines):
    stage.play()
    for _ in range(2):
        stage.engine.die(-9)
        stage.poll()
        stage.engine.stand("playing", beat)
        stage.poll()
    assert len(stage.engines) == engines


def test_an_engine_that_dies_while_nothing_plays_comes_back_as_quietly(stage):
    stage.engine.die(-9)
    stage.poll()
    assert len(stage.engines) == 2
    assert stage.engine.sent == []


def test_another_model_starts_the_engine_that_could_not_load_the_first(stage):
    stage.engine.say(Problem("partner.pt is not a model of improv", fatal=True))
    stage.engine.die(1)
    stage.poll()
    stage.panel.choices.command.emit(SetModel("/models/good.pt"))
    assert stage.engine.settings.model == "/models/good.pt"
    assert not stage.panel.banner.isVisible()


def test_the_last_words_of_an_engine_are_what_is_said(stage):
    stage.engine.say(Problem("m.pt: not a model of improv", fatal=True))
    stage.engine.die(0)
    stage.poll()
    assert stage.panel.banner.text == "m.pt: not a model of improv"
    assert stage.panel.banner.restart.isVisible()
    assert len(stage.engines) == 1


def test_an_engine_that_has_played_as_long_as_it_was_asked_to_closes_the_window(open_stage):
    stage = open_stage(autoplay=True)
    stage.play()
    stage.engine.die(0)
    stage.poll()
    assert not stage.panel.isVisible()
    assert stage.panel.exit_status == 0


def test_closing_the_window_releases_the_keys_and_ends_the_engine(stage):
    QTest.keyPress(stage.panel, Qt.Key.Key_A)
    stage.panel.close()
    assert stage.engine.sent[-1] == PlayNote(60, 0)
    assert stage.engine.closed


def test_closing_says_that_the_last_take_is_not_where_it_was_to_be(stage, capsys):
    text = "cannot write /full/take.mid: No space left on device; this take goes to /music/take.mid"
    stage.engine.say(Problem(text, about=TAKE), TakeKept("/music/take.mid", begun="/full/take.mid"))
    stage.panel.close()
    assert capsys.readouterr().err == f"improv: {text}\ntake kept in /music/take.mid\n"
    assert stage.panel.exit_status == 1


def test_closing_says_where_the_last_take_is(stage, capsys):
    stage.engine.say(TakeKept("/music/take.mid"))
    stage.panel.close()
    assert "/music/take.mid" in capsys.readouterr().err

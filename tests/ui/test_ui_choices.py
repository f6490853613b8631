from look import choose, words
from PyQt6.QtCore import Qt
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QFileDialog

from improv.live.messages import Ports, SetInput, SetKey, SetModel, SetOutput, SetSync
from improv.music.key import KEYS, parse_key

LEFT = Qt.MouseButton.LeftButton


def test_a_key_can_be_chosen_and_given_back(stage):
    for key in ("Bb major", "F# minor", "auto"):
        choose(stage.panel.choices.key, key)
    assert stage.engine.sent == [SetKey("Bb major"), SetKey("F# minor"), SetKey("auto")]


def test_every_key_is_offered(stage):
    key = stage.panel.choices.key
    offered = [key.itemData(i) for i in range(key.count())]
    assert offered[0] == "auto"
    assert {parse_key(name) for name in offered[1:]} == set(KEYS)


def test_a_key_given_in_short_is_found_among_the_keys(open_stage):
    assert open_stage(key="Am").panel.choices.key.chosen == "A minor"


def test_the_clock_to_follow_can_be_chosen_and_is_shown(stage):
    choose(stage.panel.choices.sync, "midi")
    assert stage.engine.sent == [SetSync("midi")]
    stage.engine.stand("stopped", sync="midi", following=False)
    stage.poll()
    assert "sync ○" in words(stage.panel)
    stage.engine.stand("stopped", sync="midi", following=True)
    stage.poll()
    assert "sync ●" in words(stage.panel)


def test_a_model_can_be_chosen(stage, tmp_path):
    model = tmp_path / "mine.pt"
    model.touch()
    QTest.mouseClick(stage.panel.choices.model, LEFT)
    dialog = stage.panel.choices.findChild(QFileDialog)
    dialog.fileSelected.emit(str(model))
    dialog.close()
    assert stage.engine.sent == [SetModel(str(model))]
    stage.engine.stand("stopped", model=str(model))
    stage.poll()
    assert stage.panel.choices.model.text() == "mine.pt"


def test_ports_are_offered_as_they_come(stage):
    stage.engine.say(Ports("alsa", ["Keystation", "Wind & Co"], ["FLUID Synth"]))
    stage.engine.stand("stopped", inputs={"virtual": True}, outputs={"virtual": True, "synth": True})
    stage.poll()
    choices = stage.panel.choices
    choose(choices.input, "Keystation")
    assert choices.output.text() == "improv out, synth"
    entries = {action.text(): action for action in choices.output_actions()}
    entries["FLUID Synth"].trigger()
    entries["synth (built in)"].trigger()
    assert stage.engine.sent == [
        SetInput("Keystation"),
        SetOutput(["virtual", "synth", "FLUID Synth"]),
        SetOutput(["virtual", "FLUID Synth"]),
    ]


def test_shows_the_outputs_that_the_engine_finds_one_after_the_other(stage):
    for outputs in ({}, {"virtual": True}, {"virtual": True, "synth": True}):
        stage.engine.stand("stopped", outputs=outputs)
        stage.poll()
    assert stage.panel.choices.output.text() == "improv out, synth"
    assert stage.engine.sent == []


def test_a_chosen_port_that_is_unplugged_stays_chosen(stage):
    stage.engine.say(Ports("alsa", ["Keystation"], []))
    stage.poll()
    choose(stage.panel.choices.input, "Keystation")
    stage.engine.say(Ports("alsa", [], []))
    stage.poll()
    assert stage.panel.choices.input.chosen == "Keystation"

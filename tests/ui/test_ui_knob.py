import pytest
from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtTest import QTest

from improv.knobs import KNOBS, TEMPERATURE, TEMPO, K
from improv.live.messages import SetKnob
from ui.knob import KnobControl, fraction_of, turned, value_at


@pytest.fixture
def build(qtbot):
    """Builds a knob and the list of the commands it sends."""

    def build_it(knob):
        control = KnobControl(knob, knob.default)
        qtbot.addWidget(control)
        control.show()
        sent: list[SetKnob] = []
        control.command.connect(sent.append)
        return control, sent

    return build_it


@pytest.mark.parametrize("knob", KNOBS.values(), ids=KNOBS)
def test_its_travel_covers_the_range(knob):
    assert (value_at(knob, 0.0), value_at(knob, 1.0)) == (knob.low, knob.high)
    assert (value_at(knob, -3.0), value_at(knob, 3.0)) == (knob.low, knob.high)


@pytest.mark.parametrize("knob", KNOBS.values(), ids=KNOBS)
def test_a_value_is_found_where_it_is_shown(knob):
    assert value_at(knob, fraction_of(knob, knob.default)) == knob.default


def test_equal_turns_multiply_a_logarithmic_knob():
    low, middle, high = (value_at(K, fraction) for fraction in (0.4, 0.65, 0.9))
    assert middle / low == pytest.approx(high / middle, rel=0.02)


@pytest.mark.parametrize("knob", KNOBS.values(), ids=KNOBS)
def test_the_smallest_turn_changes_every_value_but_the_last(knob):
    value = knob.low
    seen = [value]
    while value < knob.high:
        value = turned(knob, value, 1)
        seen.append(value)
    assert seen == sorted(set(seen))
    assert seen[-1] == turned(knob, knob.high, 1) == knob.high


@pytest.mark.parametrize(
    ("knob", "key", "value"),
    [
        (TEMPO, Qt.Key.Key_Up, 121),
        (TEMPO, Qt.Key.Key_PageDown, 110),
        (TEMPERATURE, Qt.Key.Key_Right, round(TEMPERATURE.default + TEMPERATURE.step, 2)),
        (TEMPERATURE, Qt.Key.Key_Home, 0.2),
        (K, Qt.Key.Key_End, 2000),
    ],
)
def test_a_key_turns_the_dial_and_tells_the_engine(build, knob, key, value):
    control, sent = build(knob)
    QTest.keyClick(control.dial, key)
    assert sent == [SetKnob(knob.name, value)]
    assert control.value.value() == value


def test_dragging_upwards_turns_it_to_the_top(build):
    control, sent = build(TEMPERATURE)
    QTest.mousePress(control.dial, Qt.MouseButton.LeftButton, pos=QPoint(30, 30))
    QTest.mouseMove(control.dial, QPoint(30, -400))
    QTest.mouseRelease(control.dial, Qt.MouseButton.LeftButton, pos=QPoint(30, -400))
    assert sent[-1] == SetKnob("temperature", 3.0)


def test_a_double_click_sets_the_default(build):
    control, sent = build(TEMPO)
    control.show_value(200)
    QTest.mouseDClick(control.dial, Qt.MouseButton.LeftButton)
    assert sent == [SetKnob("tempo", 120)]


def test_a_typed_value_is_sent_once_when_it_is_complete(build):
    control, sent = build(TEMPO)
    control.value.selectAll()
    QTest.keyClicks(control.value, "96")
    assert sent == []
    QTest.keyClick(control.value, Qt.Key.Key_Return)
    assert sent == [SetKnob("tempo", 96)]


def test_shows_the_unit(build):
    assert build(TEMPO)[0].value.text() == "120 BPM"
    assert build(K)[0].value.text() == f"{K.default} steps"


def test_what_the_engine_reports_is_shown_and_not_sent_back(build):
    control, sent = build(TEMPO)
    control.show_value(140)
    assert control.value.value() == 140
    assert sent == []


def test_a_report_does_not_disturb_the_typing(build):
    control, _ = build(TEMPO)
    control.value.selectAll()
    QTest.keyClicks(control.value, "9")
    control.show_value(140)
    QTest.keyClicks(control.value, "6")
    QTest.keyClick(control.value, Qt.Key.Key_Return)
    assert control.value.value() == 96

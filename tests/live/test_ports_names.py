"""Ports are found by any unique part of their name, and keep their name across a replug."""

import pytest

from improv.errors import ImprovError
from improv.live.ports.names import matching, steady, the_one

NAMES = ["Keystation Mini 32", "Keystation 88", "USB Midi"]


def test_a_unique_part_is_enough_in_upper_or_lower_case() -> None:
    assert the_one(NAMES, "mini", "input") == "Keystation Mini 32"


def test_a_whole_name_wins_over_longer_ones_that_contain_it() -> None:
    assert the_one(["Piano", "Piano Left"], "piano", "input") == "Piano"


def test_several_matches_are_refused_and_named() -> None:
    with pytest.raises(ImprovError, match=r"'Keystation Mini 32', 'Keystation 88'"):
        the_one(NAMES, "keystation", "input")


def test_an_unknown_name_is_refused_and_what_there_is_named() -> None:
    with pytest.raises(ImprovError, match=r"no MIDI output is named 'Moog'.*'USB Midi'"):
        the_one(NAMES, "Moog", "output")


def test_with_nothing_there_the_message_says_so() -> None:
    with pytest.raises(ImprovError, match="plug it in"):
        the_one([], "Moog", "output")


def test_numbers_that_change_with_every_replug_are_left_out() -> None:
    assert steady(["Keystation:Keystation MIDI 1 24:0"], numbered=True) == {
        "Keystation:Keystation MIDI 1": "Keystation:Keystation MIDI 1 24:0"
    }
    assert list(steady(["loopMIDI Port 1"], numbered=True)) == ["loopMIDI Port"]


def test_numbers_stay_where_the_backend_adds_none() -> None:
    assert list(steady(["Keystation Mini 32"], numbered=False)) == ["Keystation Mini 32"]


def test_twins_can_be_told_apart() -> None:
    names = steady(["Pad:Pad 20:0", "Pad:Pad 24:0"], numbered=True)
    assert names == {"Pad:Pad": "Pad:Pad 20:0", "Pad:Pad (2)": "Pad:Pad 24:0"}
    assert matching(list(names), "pad:pad (2)") == ["Pad:Pad (2)"]


def test_improvs_own_ports_are_left_out_and_only_those() -> None:
    own = ["improv:out", "improv in:in", "improv-01:out", "improv:improv out 129:0", "improv in"]
    assert list(steady([*own, "improviser:out"], numbered=False)) == ["improviser:out"]

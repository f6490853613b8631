import math

import pytest

from improv.live.modes import MODES, Moment, Turn

NEVER = math.inf


def turn(mode: str, bar: float, idle_bars: float, bar_beats: float = 4.0) -> Turn:
    """Whose turn it is `bar` bars after play, when the player has been silent for `idle_bars`."""
    return MODES[mode].turn(Moment(bar * bar_beats, bar_beats, idle_bars * bar_beats))


@pytest.mark.parametrize("bar_beats", [2.0, 3.0, 4.0, 3.5])
def test_trade_alternates_every_two_bars_and_the_player_begins(bar_beats: float) -> None:
    whose = [turn("trade", quarter / 4, NEVER, bar_beats).whose for quarter in range(4 * 8)]
    assert whose == (["player"] * 8 + ["partner"] * 8) * 2
    for bar in (0, 1.99, 4):
        assert not turn("trade", bar, 0, bar_beats).partner_plays
    for bar in (2, 3.99, 6):
        assert turn("trade", bar, 0, bar_beats).partner_plays


def test_trade_changes_on_the_bar_line_even_where_beats_do_not_add_up_exactly() -> None:
    grid = 0.1
    moments = [Moment(frame * grid, 4.0, 0) for frame in range(200)]
    changes = [n for n in range(1, 200) if MODES["trade"].turn(moments[n]) != MODES["trade"].turn(moments[n - 1])]
    assert changes == [80, 160]


def test_a_duet_rests_until_the_player_begins() -> None:
    assert turn("duet", 0, NEVER) == turn("duet", 100, NEVER) == Turn(False, True, "player")


@pytest.mark.parametrize("bar_beats", [3.0, 4.0])
def test_a_duet_rests_after_two_silent_bars_and_goes_on_when_the_player_does(bar_beats: float) -> None:
    for idle_bars in (0, 0.5, 1, 2):
        assert turn("duet", 10, idle_bars, bar_beats).partner_plays
    assert not turn("duet", 10, 2.01, bar_beats).partner_plays
    assert turn("duet", 11, 0, bar_beats).whose == "both"


def test_a_duet_is_clamped_to_the_player_and_the_others_are_not() -> None:
    assert turn("duet", 5, 0).clamped
    assert not turn("trade", 2, 0).clamped
    assert not turn("solo", 5, 0).clamped


def test_a_solo_is_the_partners_at_any_moment() -> None:
    for bar in (0, 1, 2, 7.5):
        for idle_bars in (0, 1, NEVER):
            assert turn("solo", bar, idle_bars) == Turn(True, False, "partner")


def test_every_mode_says_what_it_does() -> None:
    assert set(MODES) == {"duet", "trade", "solo"}
    assert all(mode.help for mode in MODES.values())

"""The engine beside another program's clock, on a virtual clock."""

import itertools
import random
from pathlib import Path

import pytest
from studio import Studio, sounding_after

from improv.live.messages import Notice, Play, Problem, SetKnob, SetSync, Status, Stop, TakeKept
from improv.live.sync import LOST_SECONDS, PULSES, Kind
from improv.music.midifile import read_score

FIRST = 1.0  # the moment of the first pulse


@pytest.fixture
def studio(tiny_model: Path, tmp_path: Path) -> Studio:
    return Studio(tiny_model, tmp_path / "take.mid", mode="solo", sync="midi", play=False)


class Sequencer:
    """Another program that plays its clock into the studio's input.

    Attributes:
        now: the moment of its next pulse.
    """

    def __init__(self, studio: Studio, jitter: float = 0.0) -> None:
        self.now, self._studio, self._jitter, self._chance = FIRST, studio, jitter, random.Random(1)

    def say(self, kind: Kind, *data: int) -> None:
        self._studio.midi(self.now - 0.001, [kind, *data])

    def roll(self, tempo: float, beats: float) -> list[float]:
        """Plays on; returns the moments of the sixteenths."""
        sixteenths = []
        for pulse in range(round(beats * PULSES)):
            self._studio.midi(self.now + self._chance.uniform(0, self._jitter), [Kind.PULSE])
            if pulse % 6 == 0:
                sixteenths.append(self.now)
            self.now += 60 / tempo / PULSES
        return [*sixteenths, self.now]


def onsets(studio: Studio, after: float = 0.0, before: float = 1e9) -> list[float]:
    return [at for at, _, velocity in studio.partner if velocity and after <= at < before]


def pulses(first: float, beats: int) -> list[float]:
    """The moments of the pulses at 120 BPM: after a gap nobody can know which of them begins a sixteenth."""
    return [first + pulse * 0.5 / PULSES for pulse in range(beats * PULSES + 1)]


def off_the_grid(times: list[float], grid: list[float]) -> float:
    """How far the times lie from the nearest moment of the grid, in seconds, at the worst."""
    return max(min(abs(at - moment) for moment in grid) for at in times)


def test_nothing_plays_before_the_start_and_the_first_frame_is_bar_1_beat_1(studio: Studio) -> None:
    sequencer = Sequencer(studio)
    sequencer.roll(97, 4)  # a clock that runs while the song does not
    start = sequencer.now
    sequencer.say(Kind.START)
    grid = sequencer.roll(97, 16)
    studio.run(sequencer.now)
    assert len(onsets(studio)) > 40
    assert min(onsets(studio)) >= start - 1e-6
    assert off_the_grid(onsets(studio), grid) < 1e-3
    notes = read_score(studio.take).notes
    assert min(note.onset for note in notes) < 0.5
    assert max(abs(note.onset * 4 - round(note.onset * 4)) for note in notes) < 0.05


def test_the_partner_follows_a_jittering_clock_through_a_change_of_tempo(studio: Studio) -> None:
    sequencer = Sequencer(studio, jitter=0.006)
    sequencer.say(Kind.START)
    first = sequencer.roll(97, 16)
    change = sequencer.now
    second = sequencer.roll(140, 16)
    studio.run(sequencer.now)
    assert off_the_grid(onsets(studio, FIRST + 2, change), first) < 0.012
    assert off_the_grid(onsets(studio, change + 2), second) < 0.012
    assert studio.status().knobs["tempo"] == pytest.approx(140, abs=2)
    assert studio.status().following


@pytest.mark.parametrize(("before", "after"), [(300, 20), (20, 300), (120, 121), (60, 120)])
def test_any_change_of_tempo_makes_no_burst_and_leaves_no_note(studio: Studio, before: float, after: float) -> None:
    sequencer = Sequencer(studio)
    sequencer.say(Kind.START)
    sequencer.roll(before, 8)
    change = sequencer.now
    grid = sequencer.roll(after, 16)
    studio.run(sequencer.now)
    ticks = sorted(set(onsets(studio)))
    assert min(b - a for a, b in itertools.pairwise(ticks)) > 60 / 600 / 4 - 1e-6
    late = change + 8 * 60 / after
    assert off_the_grid(onsets(studio, late), grid) < 0.02
    assert len(onsets(studio, late)) > 10
    assert sounding_after(studio.partner) == set()


def test_stop_silences_and_start_goes_on_from_bar_1(studio: Studio) -> None:
    sequencer = Sequencer(studio)
    sequencer.say(Kind.START)
    sequencer.roll(120, 7)
    sequencer.say(Kind.STOP)
    stopped = sequencer.now
    sequencer.now += 2
    sequencer.say(Kind.START)
    grid = sequencer.roll(120, 8)
    studio.run(sequencer.now)
    assert sounding_after([note for note in studio.partner if note[0] < stopped]) == set()
    assert onsets(studio, stopped, grid[0] - 0.0011) == []  # the start message comes a millisecond before its pulse
    assert off_the_grid(onsets(studio, stopped), grid) < 0.03
    assert [type(report) for report in studio.reports].count(TakeKept) == 2
    playing = [(s.state, s.beat) for s in studio.reports if isinstance(s, Status)]
    assert ("stopped", 0.0) in playing
    assert playing[-1][0] == "stopped" or playing[-1][1] < 9


def test_continue_goes_on_at_the_song_position(studio: Studio) -> None:
    sequencer = Sequencer(studio)
    sequencer.say(Kind.POSITION, 16, 0)  # bar 2
    sequencer.say(Kind.CONTINUE)
    sequencer.roll(120, 4)
    studio.run(sequencer.now)
    beats = [status.beat for status in studio.reports if isinstance(status, Status) and status.state == "playing"]
    assert 4 - 0.1 < beats[0] < 4.5
    assert max(beats) == pytest.approx(8, abs=0.2)


def test_a_lost_clock_is_told_once_and_the_music_goes_on_until_it_is_back(studio: Studio) -> None:
    sequencer = Sequencer(studio)
    sequencer.say(Kind.START)
    sequencer.roll(97, 8)
    lost = sequencer.now
    sequencer.now += 8 * 60 / 97 + 0.006  # it has gone on unheard, and a little astray
    back = sequencer.now
    grid = sequencer.roll(97, 16)
    studio.run(sequencer.now)
    problems = [report for report in studio.reports if isinstance(report, Problem)]
    assert [problem.text for problem in problems] == ["the MIDI clock is lost: going on at 97 BPM until it is back"]
    back_again = [report for report in studio.reports if isinstance(report, Notice)]
    assert [notice.about for notice in back_again] == [problems[0].about] != [""]
    assert len(onsets(studio, lost + LOST_SECONDS, back)) > 20
    assert off_the_grid(onsets(studio, back + 2), grid) < 2e-3


@pytest.mark.parametrize("spacing", [0.0, 0.0001, 0.003])
def test_a_flood_of_pulses_neither_kills_nor_hurries_the_music(studio: Studio, spacing: float) -> None:
    sequencer = Sequencer(studio)
    sequencer.say(Kind.START)
    sequencer.roll(120, 4)
    for pulse in range(9000):
        studio.midi(sequencer.now + pulse * spacing, [Kind.PULSE])
    over = sequencer.now = sequencer.now + 9000 * spacing
    sequencer.roll(120, 8)
    studio.run(sequencer.now)
    assert studio.status().beat == pytest.approx((sequencer.now - FIRST) * 2, abs=1)
    assert off_the_grid(onsets(studio, over + 2), pulses(over, 8)) < 2e-3
    assert len(onsets(studio, over + 2)) > 10
    assert min(b - a for a, b in itertools.pairwise(sorted(set(onsets(studio))))) > 60 / 600 / 4 - 1e-6
    problems = [report.text for report in studio.reports if isinstance(report, Problem)]
    assert problems == ["the MIDI clock is lost: going on at 120 BPM until it is back"]
    assert studio.status().following


def test_after_a_stall_of_the_machine_the_music_goes_on_from_where_it_is(studio: Studio) -> None:
    sequencer = Sequencer(studio)
    sequencer.say(Kind.START)
    sequencer.roll(120, 4)
    studio.suspend(sequencer.now, minutes=1)
    sequencer.now += 59.9  # the first pulses have come before anybody looks at the time
    grid = sequencer.roll(120, 16)
    studio.run(sequencer.now)
    assert len(onsets(studio, grid[1])) > 40
    assert off_the_grid(onsets(studio, grid[0] + 2), pulses(grid[0], 16)) < 2e-3


def test_a_hand_may_play_and_stop_beside_the_clock(studio: Studio) -> None:
    sequencer = Sequencer(studio)
    sequencer.say(Kind.START)
    grid = sequencer.roll(120, 32)
    studio.at(FIRST + 3.1, Stop())
    studio.at(FIRST + 5.1, Play())
    studio.run(sequencer.now)
    assert onsets(studio, FIRST + 3.1, FIRST + 5.1) == []
    assert off_the_grid(onsets(studio, FIRST + 5.1), grid) < 1e-3
    assert studio.status().beat == pytest.approx(32, abs=0.2)  # in the song, not since play


def test_without_a_clock_a_hand_may_play_at_the_tempo_of_the_knob(studio: Studio) -> None:
    studio.at(1.0, SetKnob("tempo", 60))
    studio.at(2.0, Play())
    studio.run(8.0)
    assert off_the_grid(onsets(studio), [2.05 + n / 4 for n in range(30)]) < 1e-6
    assert not studio.status().following


def test_the_clock_is_followed_only_where_that_was_asked_for(studio: Studio) -> None:
    studio.at(0.5, SetSync("internal"))
    studio.at(0.6, SetSync("karaoke"))
    sequencer = Sequencer(studio)
    sequencer.say(Kind.START)
    sequencer.roll(97, 8)
    studio.run(sequencer.now)
    assert studio.partner == []
    assert [report.text for report in studio.reports if isinstance(report, Problem)] == [
        "there is no sync karaoke: choose one of internal, midi"
    ]


def test_a_headless_session_ends_after_its_seconds_whether_or_not_the_clock_has_come(
    tiny_model: Path, tmp_path: Path
) -> None:
    studio = Studio(tiny_model, tmp_path / "take.mid", sync="midi", autoplay=True, seconds=5.0, play=False)
    studio.run(60)
    assert studio.clock.now() == pytest.approx(5.05, abs=0.06)
    assert studio.partner == []

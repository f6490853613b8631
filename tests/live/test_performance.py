"""One performance beside a thinker that takes its time."""

from collections import deque

import pytest

from improv.knobs import Controls
from improv.live.clock import Timeline
from improv.live.jobs import Answer, Loaded, Think
from improv.live.modes import MODES
from improv.live.performance import Hand, Performance
from improv.music.pianoroll import LOW, N_PITCHES, SOUNDING, Frame, silence

GRID = 0.25
MODEL = Loaded("model", GRID, LOW, N_PITCHES, "cpu", "")
NEVER = float("inf")


def chord(*pitches: int) -> Frame:
    """A frame in which these are struck."""
    frame = silence()
    frame[:, [pitch - LOW for pitch in pitches]] = 1
    return frame


class Stage:
    """A performance at 120 BPM unless another tempo is said, whose questions are answered by the test.

    Attributes:
        asked: the questions not yet answered.
        notes: of the partner, (pitch, velocity).
    """

    def __init__(self, mode: str = "duet", tempo: float = 120) -> None:
        self.asked: deque[Think] = deque()
        self.notes: list[tuple[int, int]] = []
        self.timeline = Timeline(0.0, tempo)
        sink, hand = self.notes.extend, Hand(MODES[mode], Controls())
        self.performance = Performance(1, MODEL, self.timeline, 0.0, 4.0, self.asked.append, sink, lambda: hand)

    def strike(self, pitch: int, at: float) -> None:
        self.performance.player_note(pitch, 80, self.timeline.beat_at(at))

    def answer(self, frame: Frame, at: float, seconds: float = 0.005) -> Think:
        """Answers the oldest question, after `seconds` of thought; returns it."""
        question = self.asked.popleft()
        self.performance.answered(Answer(1, question.number, frame, seconds, "", 25), at)
        return question

    @property
    def begun(self) -> list[int]:
        return [pitch for pitch, velocity in self.notes if velocity]

    @property
    def ended(self) -> list[int]:
        return [pitch for pitch, velocity in self.notes if not velocity]


def held(*pitches: int) -> Frame:
    """A frame in which these go on."""
    frame = silence()
    frame[SOUNDING, [pitch - LOW for pitch in pitches]] = 1
    return frame


def test_what_was_let_go_at_a_tick_is_not_struck_by_a_later_answer_that_goes_on_with_it() -> None:
    stage = Stage()
    stage.performance.advance(-0.03)
    stage.answer(chord(48, 52), -0.025)
    stage.performance.advance(0.0)
    stage.performance.advance(0.095)
    stage.answer(held(48), 0.1)
    stage.performance.advance(0.125)
    assert (stage.begun, stage.ended) == ([48, 52], [52])
    stage.strike(72, 0.13)
    stage.answer(held(48, 52) | chord(45), 0.135)
    assert (stage.begun, stage.ended) == ([48, 52, 45], [52])
    stage.performance.advance(0.22)
    (_, partner), *_ = [heard for question in stage.asked for heard in question.heard if heard[1].any()][-1:]
    assert not partner[:, 52 - LOW].any(), "nor is it remembered"


def struck_at_the_tick_while_asked_again() -> Stage:
    """The player strikes between answer and tick; 48 and 52 are played at that, before the new answer is there."""
    stage = Stage()
    stage.performance.advance(-0.03)
    stage.answer(chord(48, 52), -0.025)
    stage.strike(72, -0.004)
    stage.performance.advance(0.0)
    assert stage.begun == [48, 52]
    return stage


def test_an_answer_that_knows_nothing_of_what_was_struck_at_the_tick_takes_none_of_it_back() -> None:
    stage = struck_at_the_tick_while_asked_again()
    assert stage.answer(chord(45, 50), 0.006).struck is None
    assert (stage.begun, stage.ended) == ([48, 52], [])
    again = stage.asked[0]
    assert (again.number, again.heard) == (0, [])
    assert again.struck is not None
    assert (again.struck == chord(48, 52)).all()
    stage.answer(chord(45, 48, 52), 0.01)
    assert (stage.begun, stage.ended) == ([48, 52, 45], [])


def prepared(*pitches: int) -> Stage:
    """What is to be sent at the tick is known; the tick is still to come."""
    stage = Stage()
    stage.performance.advance(-0.03)
    stage.answer(chord(*pitches), -0.025)
    stage.performance.advance(stage.performance.due())
    assert (stage.begun, stage.performance.due()) == ([], 0.0)
    return stage


def test_what_the_player_does_after_the_tick_was_prepared_still_counts() -> None:
    stage = prepared(48, 52)
    stage.strike(52, -0.001)
    stage.performance.advance(0.0)
    assert stage.begun == [48]


def test_an_answer_that_comes_after_the_tick_was_prepared_is_played_at_it() -> None:
    stage = Stage()
    stage.performance.advance(-0.03)
    stage.performance.advance(stage.performance.due())
    stage.answer(chord(48), -0.001)
    stage.performance.advance(0.0)
    assert (stage.begun, stage.performance.missed) == ([48], 0)


def test_an_answer_that_stays_away_though_the_tick_was_prepared_is_missed_and_played_a_little_later() -> None:
    stage = Stage()
    stage.performance.advance(-0.03)
    stage.performance.advance(stage.performance.due())
    stage.performance.advance(0.0)
    assert (stage.begun, stage.performance.missed) == ([], 1)
    stage.answer(chord(48), 0.005)
    assert stage.begun == [48]


def test_what_was_released_after_the_next_tick_was_prepared_is_held_by_nobody() -> None:
    stage = prepared(48)
    stage.performance.advance(0.0)
    stage.performance.advance(0.095)
    stage.answer(held(48), 0.1)
    stage.performance.advance(stage.performance.due())
    stage.performance.release()
    stage.performance.advance(0.125)
    assert (stage.begun, stage.ended) == ([48, 48], [48]), "it is struck anew"


def test_it_is_asked_for_the_next_frame_instead_where_that_is_due() -> None:
    stage = struck_at_the_tick_while_asked_again()
    due = stage.performance.due()
    stage.performance.advance(due)
    stage.answer(chord(45, 50), due + 0.001)
    assert (stage.begun, stage.ended) == ([48, 52], [])
    assert [question.number for question in stage.asked] == [1]
    _, partner = stage.asked[0].heard[0]
    assert (partner == chord(48, 52)).all()


def test_alone_too_what_was_struck_at_the_tick_is_not_taken_back_but_followed() -> None:
    stage = Stage("solo")
    stage.performance.advance(-0.03)
    stage.performance.advance(0.0)
    stage.answer(chord(48), 0.05)  # far too late: for the next tick
    stage.performance.advance(0.095)
    stage.performance.advance(0.125)
    assert stage.begun == [48]
    stage.answer(chord(50), 0.13)
    assert (stage.begun, stage.ended) == ([48], [])
    stage.performance.advance(stage.performance.due())
    stage.performance.advance(0.25)
    assert (stage.begun, stage.ended) == ([48, 50], [48])


@pytest.mark.parametrize(("seconds", "tempo"), [(0.01, 300), (0.015, 200), (0.025, 120)])
def test_an_instant_answer_costs_no_frame(seconds: float, tempo: float) -> None:
    stage, frames, now = Stage(tempo=tempo), 100, 0.0
    tick = GRID * 60 / tempo
    strikes, done = deque((n + 0.45) * tick for n in range(frames)), NEVER
    revised = 0
    while stage.performance.next_beat < frames * GRID:
        now = min(stage.performance.due(), done, strikes[0] if strikes else NEVER)
        if now == done:
            revised += not stage.answer(chord(48), now, seconds).heard
            done = NEVER
        elif strikes and now == strikes[0]:
            stage.strike(60, strikes.popleft())
        else:
            stage.performance.advance(now)
        if stage.asked and done == NEVER:
            done = now + seconds
    assert stage.performance.missed == 0
    assert revised > frames / 2


def test_after_a_failure_the_next_frame_is_asked_for_at_once_where_it_is_due() -> None:
    stage = struck_at_the_tick_while_asked_again()
    stage.asked.clear()
    stage.performance.advance(stage.performance.due())
    assert not stage.asked
    stage.performance.thinker_failed()
    assert [question.number for question in stage.asked] == [1]

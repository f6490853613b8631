"""One performance, from play to stop: musical time, frame by frame.

Frame n spans [n, n + 1) x grid. Shortly before tick n the frames that are over are handed to the thinker, with what the
player holds by then, and its answer is played at the tick. What the player does until half a frame later still belongs
to frame n: where the partner is to harmonise it, it is asked again, keeps what it has struck, and plays at once what
the new answer adds. Then the frame is final and is heard.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from improv.knobs import Controls
from improv.live.clock import Timeline
from improv.live.jobs import Answer, Loaded, Think
from improv.live.modes import Mode, Moment, Turn
from improv.live.quantiser import Quantiser
from improv.live.voices import Notes, Voices
from improv.music.pianoroll import SOUNDING, STRUCK, Frame

MARGIN = 0.008  # seconds the answer should be ready before its tick
CAUTION = 2.0  # times the longest recent computation is allowed for
LEAD_AT_START = 0.03  # seconds, until computations have been timed
PREPARED = 0.002  # seconds before the tick at which it is known what will be sent then, unless more happens
LATE = 0.02  # seconds after the tick at which what should have been played there is better played than left out


@dataclass(frozen=True)
class Hand:
    """Where mode and knobs stand when a frame is asked for."""

    mode: Mode
    controls: Controls


class Performance:
    """The musical state of one take. Driven by `due` and `advance`; no clock and no port in it.

    Args:
        number: tells the answers to this performance from late ones to another.
        model: what is known of the model.
        timeline: where beat 0 is, and the tempo.
        first_beat: where the first frame begins; on the grid.
        think: where jobs for the thinker go.
        sink: where the partner's notes go.
        hand: what mode and knobs say now.
    """

    def __init__(
        self,
        number: int,
        model: Loaded,
        timeline: Timeline,
        first_beat: float,
        bar_beats: float,
        think: Callable[[Think], None],
        sink: Callable[[Notes], None],
        hand: Callable[[], Hand],
    ) -> None:
        self.number = number
        self.timeline = timeline
        self.bar_beats = bar_beats
        self.model, self.grid = model, model.grid
        self.player = Quantiser(model.grid, model.low, model.n_pitches)
        self.voices = Voices(model.low, model.n_pitches, sink)
        self.turn = Turn(partner_plays=False, clamped=False, whose="player")
        self.key = ""
        self.missed = 0
        self.steps = 0  # of the chain behind the last answer
        self._think, self._hand = think, hand
        self._next = round(first_beat / model.grid)  # the frame whose tick comes next
        self._asked = False  # whether its answer was due to be asked for
        self._thinking = False  # whether the thinker is still at a job
        self._in_question = -1  # the frame that the thinker was asked for last
        self._revised = False  # whether it was asked for again
        self._outdated = False  # whether the player has done more since, or the partner at the tick
        self._answer: Answer | None = None
        self._coming: tuple[Frame, Notes] | None = None  # the partner's frame at the tick, and what to send for it
        self._partner: deque[Frame] = deque()  # what the partner sounded in the frames not yet heard
        self._unanswered = 0  # ticks in a row
        self._durations: deque[float] = deque(maxlen=32)

    @property
    def compute_seconds(self) -> float:
        """The longest recent computation."""
        return max(self._durations, default=0.0)

    @property
    def next_beat(self) -> float:
        """The beat of the next tick."""
        return self._next * self.grid

    def due(self) -> float:
        """The moment at which `advance` must be called next."""
        tick = self.timeline.seconds_at(self.next_beat)
        if not self._asked:
            return tick - self._lead()
        return tick if self._coming is not None else tick - PREPARED

    def advance(self, now: float) -> float | None:
        """Does what is due at `now`; returns the lateness in seconds where that was a tick, else None."""
        if not self._asked:
            self._skip_lost_ticks(now)
            self._ask()
            return None
        lateness = now - self.timeline.seconds_at(self.next_beat)
        if self._coming is None:  # before the tick: what has not been done for a while takes up to a millisecond
            self._coming = self._prepare()
        if lateness < 0:
            return None
        self._tick(*self._coming)
        return lateness

    def player_note(self, pitch: int, velocity: int, beat: float) -> None:
        """The player strikes `pitch` at `beat`, or lets it go where `velocity` is 0."""
        self._coming = None
        if not velocity:
            self.player.note_off(pitch, beat)
            return
        self.player.note_on(pitch, beat)
        self.voices.give_up(pitch)
        self.voices.hear_velocity(velocity)
        if self.player.frame_at(beat) == self._in_question:
            self._revise()

    def answered(self, answer: Answer, now: float) -> None:
        """The thinker is done. What comes too late for its tick is played at the next one: late, but not lost."""
        if answer.performance != self.number:
            return
        self._coming = None
        self._durations.append(answer.seconds)
        self.key, self.steps = answer.key, answer.steps
        outdated, tick_passed = self._outdated, answer.number == self._in_question == self._next - 1
        self._thinking = self._outdated = False
        if not tick_passed:
            self._answer = answer
        if outdated and self._revise():
            return
        in_time = self._revised or now - self.timeline.seconds_at(answer.number * self.grid) < LATE
        if tick_passed and in_time and not outdated:
            self._amend(answer.frame)
        elif tick_passed and not self._revised:
            self._answer = answer
        self._catch_up()

    def release(self) -> None:
        """Ends every note of the partner's; the beat goes on."""
        self._coming = None
        self.voices.release()

    def thinker_failed(self) -> None:
        """The answer that was asked for will not come."""
        self._thinking = self._outdated = False
        self._catch_up()

    def _lead(self) -> float:
        """Seconds before the tick at which the answer is asked for: as late as is safe, half a frame at most."""
        wanted = CAUTION * self.compute_seconds + MARGIN if self._durations else LEAD_AT_START
        return min(wanted, 0.5 * self.grid * 60 / self.timeline.tempo)

    def _ask(self) -> None:
        self._asked = True
        hand = self._hand()
        beat = self.next_beat
        self.turn = hand.mode.turn(Moment(beat, self.bar_beats, self.player.idle_beats(beat)))
        if self._thinking:
            return  # the frames wait until the thinker is free
        self._revised = self._outdated = False
        self._send(self._next, self._take_finished(), hand.controls)

    def _catch_up(self) -> None:
        """Asks for the next frame, where that was due while the thinker was still at the one before."""
        if self._asked and self._in_question != self._next:
            self._ask()

    def _revise(self) -> bool:
        """Asks again for the frame in question, in which a note has just been struck, until it is over; or once the
        thinker is free. Whether it has asked."""
        if self._in_question != (self._next if self._asked else self._next - 1):
            return False
        hand, beat = self._hand(), self._in_question * self.grid
        turn = hand.mode.turn(Moment(beat, self.bar_beats, self.player.idle_beats(beat)))
        if not turn.clamped:
            return False
        self._outdated = self._thinking
        if self._thinking:
            return False
        self.turn, self._revised = turn, True
        self._send(self._in_question, [], hand.controls, None if self._asked else self._begun())
        return True

    def _send(
        self, number: int, heard: list[tuple[Frame, Frame]], controls: Controls, struck: Frame | None = None
    ) -> None:
        self._thinking, self._in_question = True, number
        tick = self.timeline.seconds_at(number * self.grid)
        self._think(Think(self.number, number, heard, self.player.frame(number), self.turn, controls, tick, struck))

    def _begun(self) -> Frame:
        """What the partner has struck in the frame that has begun and still sounds, [2, n_pitches]."""
        struck = self._partner[-1][STRUCK] & self.voices.held()[SOUNDING]
        return np.stack([struck, struck])

    def _prepare(self) -> tuple[Frame, Notes]:
        """What will be played at the tick, as far as is known now."""
        # Without an answer what sounds is held, so that the beat goes on; but not for longer than a bar.
        frame = self.voices.held() if self._answer is None else self._answer.frame
        rest = self._answer is None and (self._unanswered + 1) * self.grid > self.bar_beats
        frame = frame & (1 - self.player.frame(self._next)[SOUNDING]) * (not rest)
        return frame, self.voices.changes(frame, self.next_beat, self.bar_beats)

    def _tick(self, frame: Frame, notes: Notes) -> None:
        self.voices.send(notes)
        answer, self._answer, self._coming = self._answer, None, None
        self.missed += answer is None or answer.number != self._next
        self._unanswered = self._unanswered + 1 if answer is None else 0
        self._partner.append(frame)
        if self._thinking and self._in_question == self._next:  # an answer that takes back what is struck is none
            self._outdated |= bool(frame[STRUCK].any())
        self._next += 1
        self._asked = False

    def _amend(self, frame: Frame) -> None:
        """The frame that has begun becomes `frame`: what is struck in it already is not struck again."""
        number = self._next - 1
        frame = frame & (1 - self.player.frame(number)[SOUNDING])
        frame[SOUNDING] &= frame[STRUCK] | self.voices.held()[SOUNDING]  # what was let go at the tick stays so
        struck = self._begun()[STRUCK] & frame[SOUNDING]
        changed = frame.copy()
        changed[STRUCK] &= 1 - struck
        self.voices.send(self.voices.changes(changed, number * self.grid, self.bar_beats))
        frame[STRUCK] |= struck
        self._partner[-1] = frame

    def _take_finished(self) -> list[tuple[Frame, Frame]]:
        """The frames before the next one as they finally were: player, partner."""
        first = self._next - len(self._partner)
        finished = [(self.player.frame(first + i), partner) for i, partner in enumerate(self._partner)]
        self._partner.clear()
        self.player.forget_before(self._next)
        return finished

    def _skip_lost_ticks(self, now: float) -> None:
        """After a stall (a stopped process, a sleeping machine) the music goes on at the next tick, without a burst."""
        reached = math.floor(self.timeline.beat_at(now) / self.grid)
        lost = reached - self._next
        if lost > 0:
            self.missed += lost
            self._partner.extend([self.voices.held()] * min(lost, 256))
            self._next = reached

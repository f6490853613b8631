"""Play and stop: begins and ends performances, by hand or as another program's clock says, and has them recorded."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

from improv.knobs import TEMPO
from improv.live import messages as say
from improv.live.clock import Clock, Timeline
from improv.live.jobs import Begin, Loaded
from improv.live.outputs import Outputs
from improv.live.performance import Hand, Performance
from improv.live.player import Player
from improv.live.recorder import Takes
from improv.live.sync import MidiClock
from improv.live.thinker import Asking
from improv.live.voices import Notes

START_SECONDS = 0.05  # from play to beat 0: the first frame, too, is computed before its tick
CLOCK = "MIDI clock"  # what a report is about
TEMPO_STEP = 0.5  # BPM by which a followed tempo must have changed to be worth a line in the take


class Transport:
    """What plays now, if anything does, at which tempo, and into which take.

    Args:
        clock: the one clock.
        knobs: their values by name; the tempo among them follows the other program's clock.
        outputs: where both parts go.
        takes: where they are kept.
        thinker: where the improviser is.
        hand: what mode and knobs say now.
        report: takes every report; must not block.

    Attributes:
        sync: what keeps the beat, one of improv.live.sync.SYNCS.
        midi_clock: what is known of the other program's clock.
        partner_files: MIDI files that get the partner's part of every take.
        performance: what plays now; None while stopped.
        player: the human part.
    """

    def __init__(
        self,
        clock: Clock,
        knobs: dict[str, float],
        outputs: Outputs,
        takes: Takes,
        thinker: Asking,
        hand: Callable[[], Hand],
        report: Callable[[say.Report], None],
    ) -> None:
        self.sync = "internal"
        self.midi_clock = MidiClock()
        self.partner_files: list[Path] = []
        self.performance: Performance | None = None
        self.player = Player(outputs, takes, partial(self._sounded, "player"))
        self._clock, self._knobs, self._outputs, self._takes = clock, knobs, outputs, takes
        self._thinker, self._hand, self._report = thinker, hand, report
        self._performances = 0
        self._kept_tempo = 0.0  # the last one in the take
        self._lost = False  # whether the clock went while it was followed

    @property
    def running(self) -> bool:
        """Whether the song of the program that is followed runs."""
        return self.sync == "midi" and self.midi_clock.running

    @property
    def following(self) -> bool:
        """Whether the tempo is another program's."""
        return self.sync == "midi" and self.midi_clock.locked

    def beat(self, now: float) -> float:
        """Beats since play, or in the song that is followed; 0 where nothing plays."""
        return self.performance.timeline.beat_at(now) if self.performance is not None else 0.0

    def due(self) -> float:
        """The moment at which `advance` must be called next."""
        due = min(self.player.due(), self.midi_clock.lost_at)
        return due if self.performance is None else min(due, self.performance.due())

    def advance(self, now: float) -> float:
        """Does what is due at `now`; returns by how many seconds a tick was late."""
        lateness = None
        if self.performance is not None and now >= self.performance.due():
            lateness = self.performance.advance(now)
        self.player.play_tune(now)
        return lateness or 0.0

    # --- play and stop ----------------------------------------------------------------------------------------------

    def play(self, model: Loaded) -> None:
        """Begins a take: at beat 0, or where a song that is followed is now."""
        now, tempo = self._clock.now(), self._knobs["tempo"]
        if not self.running:
            self.midi_clock.uncount()
        song_beat = self.midi_clock.beat_at(now)
        beat = -START_SECONDS * tempo / 60 if song_beat is None else song_beat
        self._takes.begin(self.player.signature, tempo, self.partner_files)
        self._kept_tempo = tempo
        timeline = Timeline(now - beat * 60 / tempo, tempo)
        self._perform(model, timeline, max(0, math.ceil(beat / model.grid)) * model.grid, new_take=True)

    def stop(self) -> None:
        """Ends the performance, releases its notes and keeps the take."""
        if self.performance is not None:
            self.player.leave(self._clock.now())
            self.performance.release()
            self.performance = None
            self._takes.keep()

    def panic(self) -> None:
        """Ends every note; the beat goes on."""
        if self.performance is not None:
            self.performance.release()
        self.player.release(self._clock.now())
        self._outputs.silence()

    def change_model(self, model: Loaded) -> None:
        """Goes on with another model; where its frames are others, on the next tick of its grid and without memory."""
        old = self.performance
        if old is not None and not model.has_frames_of(old.model):
            old.release()
            beat = old.timeline.beat_at(self._clock.now() + START_SECONDS)
            self._perform(model, old.timeline, math.ceil(beat / model.grid) * model.grid, new_take=False)

    def _perform(self, model: Loaded, timeline: Timeline, beat: float, new_take: bool) -> None:
        self._performances += 1
        bar_beats = self.player.bar_beats
        self._thinker.ask(Begin(round(beat / model.grid), bar_beats))
        self.performance = Performance(
            self._performances, model, timeline, beat, bar_beats, self._thinker.ask, self._partner_notes, self._hand
        )
        self.player.join(self.performance, beat, new_take)

    def _partner_notes(self, notes: Notes) -> None:
        beats = []
        # All are sent before any is told of: whoever is told of one wakes, and would keep the next one waiting.
        for note in notes:
            self._outputs.partner(*note)
            beats.append(self.beat(self._clock.now()))
        for (pitch, velocity), beat in zip(notes, beats, strict=True):
            self._takes.note("partner", pitch, velocity, beat)
            self._sounded("partner", pitch, velocity, beat)

    def _sounded(self, part: str, pitch: int, velocity: int, beat: float) -> None:
        self._report(say.Sounded(part, pitch, velocity, beat))

    # --- tempo ------------------------------------------------------------------------------------------------------

    def set_sync(self, name: str) -> None:
        """From now on `name` keeps the beat; the tempo stays until it says otherwise."""
        self.sync, self.midi_clock = name, MidiClock()
        if self.performance is not None:
            self.performance.timeline.set_tempo(self._knobs["tempo"], self._clock.now())

    def set_tempo(self, tempo: float) -> None:
        """The hand turns the tempo to `tempo` BPM; a clock that is followed has the last word."""
        if self.following:
            return
        self._knobs["tempo"] = tempo
        if self.performance is not None:
            now = self._clock.now()
            self.performance.timeline.set_tempo(tempo, now)
            self._keep_tempo(now)

    def follow(self) -> None:
        """Takes over the tempo of the other program's clock, and draws nearer to its beat."""
        other = self.midi_clock
        if not other.locked:
            return
        if self._lost:
            self._lost = False
            self._report(say.Notice(f"the MIDI clock is back, at {TEMPO.text(other.tempo)}", CLOCK))
        self._knobs["tempo"] = min(max(round(other.tempo, 1), TEMPO.low), TEMPO.high)
        if self.performance is not None:
            now, timeline = self._clock.now(), self.performance.timeline
            beat = timeline.beat_at(now)
            if abs(other.count(beat, now) - beat) > self.performance.bar_beats:
                other.uncount()  # after a stall: better to go on from here than to hurry or wait for minutes
            timeline.approach(other.count(beat, now), other.tempo, now)
            if abs(self._knobs["tempo"] - self._kept_tempo) >= TEMPO_STEP:
                self._keep_tempo(now)

    def watch_clock(self, now: float) -> None:
        """Goes on at the last tempo where the other program's clock does not."""
        if now < self.midi_clock.lost_at:
            return
        following = self.following
        self.midi_clock.lose()
        if following and self.performance is not None:
            self._lost, tempo = True, self._knobs["tempo"]
            self.performance.timeline.set_tempo(tempo, now)
            text = f"the MIDI clock is lost: going on at {TEMPO.text(tempo)} until it is back"
            self._report(say.Problem(text, about=CLOCK))

    def _keep_tempo(self, now: float) -> None:
        self._kept_tempo = self._knobs["tempo"]
        self._takes.tempo(self.beat(now), self._kept_tempo)

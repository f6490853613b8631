"""The engine: one loop that waits for the next tick or the next event, and does what is due.

Other threads (MIDI callbacks, the thinker, the panel's commands) only put things into its inbox; everything musical
happens here, in one thread, stamped by one clock.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

from improv.errors import ImprovError
from improv.knobs import KNOBS, Controls
from improv.live import messages as say
from improv.live.clock import Clock, Timeline
from improv.live.inputs import Arrived, Input, InputLost
from improv.live.modes import MODES
from improv.live.outputs import SYNTH, Opened, Outputs, Unopened
from improv.live.performance import Hand, Performance
from improv.live.player import Player
from improv.live.process import Settings
from improv.live.recorder import Takes
from improv.live.thinker import Answer, Begin, Failed, Follow, Job, Load, Loaded
from improv.live.tune import is_midi_file
from improv.music.key import parse_key
from improv.resources import new_take

STATUS_SECONDS = 0.05
VIRTUAL = "virtual"
START_SECONDS = 0.05  # from play to beat 0: the first frame, too, is computed before its tick


class Asking(Protocol):
    """A thinker."""

    def ask(self, job: Job) -> None:
        """Queues a job."""


class Engine:
    """Steered by the commands of improv.live.messages, it reports in their reports.

    Args:
        settings: what to start with.
        clock: real, or virtual for tests.
        thinker: where the improviser is.
        outputs: where the music goes.
        player_input: where the player's notes come from.
        report: takes every report; must not block.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        thinker: Asking,
        outputs: Outputs,
        player_input: Input,
        report: Callable[[say.Report], None],
    ) -> None:
        self.settings, self.clock, self.thinker, self.outputs = settings, clock, thinker, outputs
        self._input, self.report = player_input, report
        self.knobs = dict(settings.knobs)
        self.mode = settings.mode
        self.model: Loaded | None = None
        self.performance: Performance | None = None
        self.player = Player(outputs, partial(self._sounded, "player"))
        self._takes = Takes(report, clock.inbox)
        self._performances = 0
        self._ends_at = math.inf
        self._seed = settings.seed if settings.seed is not None else random.SystemRandom().getrandbits(32)
        self._output_files: list[str] = []
        self._next_status = 0.0
        self._lateness = 0.0
        self._unopened_reasons: set[str] = set()
        self._play_when_ready = settings.autoplay
        self._running = True

    # --- the loop ---------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Runs until Quit. However it ends, every note is released and the take kept."""
        try:
            self._begin()
            while self._running:
                self._turn()
        finally:
            try:
                self._end_performance()
            finally:
                self.outputs.close()

    def _begin(self) -> None:
        self._set_key(self.settings.key)
        self._set_input(self.settings.input or VIRTUAL)
        self._set_outputs([VIRTUAL, SYNTH] if self.settings.outputs is None else self.settings.outputs)
        self.thinker.ask(Load(self.settings.model, self._seed))

    def _turn(self) -> None:
        """Waits for what comes first, and does it."""
        item = self.clock.wait(self._due())
        if item is not None:
            self._handle(item)
        now = self.clock.now()
        if self.performance is not None and now >= self.performance.due():
            lateness = self.performance.advance(now)
            self._lateness = max(self._lateness, lateness or 0.0)
        self.player.play_tune(now)
        if self.performance is not None and self._over(self.performance, now):
            self._end_performance()
        if now >= self._next_status:
            self._report_status(now)

    def _due(self) -> float:
        due = min(self._next_status, self.player.due())
        return due if self.performance is None else min(due, self.performance.due())

    def _over(self, performance: Performance, now: float) -> bool:
        """Whether the time is up, or where none was set, the tune."""
        if self.settings.seconds is not None:
            return now >= self._ends_at
        return performance.timeline.beat_at(now) >= self.player.ending_beat

    # --- what arrives -----------------------------------------------------------------------------------------------

    def _handle(self, item: object) -> None:
        match item:
            case Arrived(at, message):
                self.player.hear(at, message)
            case Answer():
                if self.performance is not None:
                    self.performance.answered(item)
            case Loaded():
                self._loaded(item)
            case Failed(text, job):
                self._failed(text, job)
            case Opened():
                self.outputs.opened(item)
                self._play_if_asked()
            case Unopened():
                self._unopened(item)
            case InputLost():
                self.player.lost(self.clock.now())
            case say.Ports() | say.Problem():
                self.report(item)
            case _:
                self._obey(item)

    def _obey(self, command: object) -> None:
        """Carries out a command; one that cannot be is answered with a Problem, and the music goes on."""
        try:
            match command:
                case say.Play():
                    self._play()
                case say.Stop():
                    self._end_performance()
                case say.Panic():
                    self._panic()
                case say.Quit():
                    self._running = False
                case say.SetKnob(name, value):
                    self._set_knob(name, value)
                case say.SetMode(name):
                    if name not in MODES:
                        raise ImprovError(f"there is no mode {name}: choose one of {', '.join(MODES)}")
                    self.mode = name
                case say.SetKey(name):
                    self._set_key(name)
                case say.SetModel(path):
                    self.thinker.ask(Load(path, self._seed))
                case say.SetInput(port):
                    self._set_input(port)
                case say.SetOutput(ports):
                    self._set_outputs(ports)
                case say.PlayNote(pitch, velocity):
                    self.player.note(self.clock.now(), pitch, velocity)
        except ImprovError as error:
            self.report(say.Problem(str(error)))
        except (TypeError, ValueError, AttributeError) as error:
            self.report(say.Problem(f"not a command that can be carried out: {error}"))

    def _sounded(self, part: str, pitch: int, velocity: int, beat: float) -> None:
        self.report(say.Sounded(part, pitch, velocity, beat))
        self._takes.note(part, pitch, velocity, beat)

    # --- play and stop ----------------------------------------------------------------------------------------------

    def _play(self) -> None:
        if self.performance is not None:
            return
        if self.model is None:
            self._play_when_ready = True
            return
        self._takes.begin(self._take_files(), self.player.bar_beats, self.knobs["tempo"])
        start = self.clock.now() + START_SECONDS
        if self.settings.seconds is not None:
            self._ends_at = start + self.settings.seconds
        self._perform(self.model, Timeline(start, self.knobs["tempo"]), 0.0)
        self._next_status = 0.0  # now: nobody should draw a note before it is known that it plays

    def _perform(self, model: Loaded, timeline: Timeline, beat: float) -> None:
        """Begins a performance on the model's grid from `beat` on."""
        self._performances += 1
        bar_beats = self.player.bar_beats
        self.thinker.ask(Begin(round(beat / model.grid), bar_beats))
        self.performance = Performance(
            self._performances, model, timeline, beat, bar_beats, self.thinker.ask, self._partner_note, self._hand
        )
        self.player.join(self.performance, beat)

    def _take_files(self) -> dict[Path, tuple[str, ...]]:
        """The files to record, and which parts each keeps."""
        take = Path(self.settings.take) if self.settings.take else new_take()
        files = {take: ("player", "partner"), **{Path(name): ("partner",) for name in self._output_files}}
        if self._performances:  # every take of a session has a file of its own
            number = self._performances + 1
            files = {path.with_name(f"{path.stem}-{number}{path.suffix}"): parts for path, parts in files.items()}
        return files

    def _hand(self) -> Hand:
        return Hand(MODES[self.mode], Controls(self.knobs["temperature"], int(self.knobs["k"])))

    def _partner_note(self, pitch: int, velocity: int) -> None:
        self.outputs.partner(pitch, velocity)
        assert self.performance is not None
        self._sounded("partner", pitch, velocity, self.performance.timeline.beat_at(self.clock.now()))

    def _end_performance(self) -> None:
        if self.performance is None:
            return
        self.player.leave(self.clock.now())
        self.performance.voices.release()
        self.performance = None
        self._next_status = 0.0
        self._takes.keep()
        if self.settings.autoplay:
            self._running = False

    def _panic(self) -> None:
        if self.performance is not None:
            self.performance.voices.release()
        self.player.release(self.clock.now())
        self.outputs.silence()

    # --- settings ---------------------------------------------------------------------------------------------------

    def _set_knob(self, name: str, value: float) -> None:
        if name not in KNOBS:
            raise ImprovError(f"there is no knob {name}: turn one of {', '.join(KNOBS)}")
        self.knobs[name] = KNOBS[name].check(value)
        if name == "tempo" and self.performance is not None:
            now = self.clock.now()
            self.performance.timeline.set_tempo(self.knobs[name], now)
            self._takes.tempo(self.performance.timeline.beat_at(now), self.knobs[name])

    def _set_key(self, name: str) -> None:
        self.thinker.ask(Follow(None if name == "auto" else parse_key(name)))

    def _set_input(self, name: str) -> None:
        self._unopened_reasons.clear()
        self.player.release(self.clock.now())
        self._input.set("" if self.player.choose(name) else name)

    def _set_outputs(self, names: list[str]) -> None:
        self._unopened_reasons.clear()
        self._output_files = [name for name in names if is_midi_file(name)]
        self.outputs.set([name for name in names if not is_midi_file(name)])

    def _loaded(self, model: Loaded) -> None:
        before, self.model = self.model, model
        self._play_if_asked()
        if self.performance is not None and before is not None and before.grid != model.grid:
            old = self.performance
            old.voices.release()
            beat = old.timeline.beat_at(self.clock.now() + START_SECONDS)
            self._perform(model, old.timeline, math.ceil(beat / model.grid) * model.grid)

    def _play_if_asked(self) -> None:
        """Plays, if that was asked for, as soon as the model is loaded and the ports are open."""
        if self._play_when_ready and self.model is not None and not self.outputs.waiting:
            self._play_when_ready = False
            self._play()

    def _unopened(self, port: Unopened) -> None:
        """Goes on without a port, unless a headless session was asked to use it: nobody would hear it."""
        if self.settings.autoplay and port.name in (self.settings.input, *(self.settings.outputs or ())):
            raise ImprovError(port.text)
        if port.text not in self._unopened_reasons:  # one MIDI system missing is one problem, not one for each end
            self.report(say.Problem(port.text))
        self._unopened_reasons.add(port.text)
        self.outputs.unopened(port)
        self._play_if_asked()

    def _failed(self, text: str, job: object) -> None:
        hopeless = isinstance(job, Load) and self.model is None
        self.report(say.Problem(text, fatal=hopeless))
        if hopeless:
            self._running = False
        elif self.performance is not None and not isinstance(job, Load):
            self.performance.thinker_failed()

    # --- reports ----------------------------------------------------------------------------------------------------

    def _report_status(self, now: float) -> None:
        self._next_status = now + STATUS_SECONDS
        status = say.Status(
            "loading" if self.model is None else "stopped",
            mode=self.mode,
            bar_beats=self.player.bar_beats,
            model=self.model.path if self.model else "",
            sampler=self.model.sampler if self.model else "",
            knobs=dict(self.knobs),
            inputs=self._input.states(),
            outputs=self.outputs.states(),
        )
        if self.performance is not None:
            status = replace(
                status,
                state="playing",
                beat=self.performance.timeline.beat_at(now),
                key=self.performance.key,
                turn=self.performance.turn.whose,
                missed=self.performance.missed,
                compute_ms=1000 * self.performance.compute_seconds,
                lateness_ms=1000 * self._lateness,
            )
        self.report(status)
        self._lateness *= 0.9  # the worst of about the last second

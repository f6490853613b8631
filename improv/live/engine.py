"""The engine: one loop that waits for the next tick or the next event, and does what is due.

Other threads (MIDI callbacks, the thinker, the panel's commands) only put things into its inbox; everything musical
happens here, in one thread, stamped by one clock.
"""

from __future__ import annotations

import math
import os
import random
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from improv.errors import ImprovError
from improv.knobs import KNOBS, Controls
from improv.live import messages as say
from improv.live.clock import Clock
from improv.live.inputs import Arrived, Input, InputLost
from improv.live.jobs import Answer, Failed, Follow, Load, Loaded, Sampler, Think
from improv.live.modes import MODES
from improv.live.outputs import SYNTH, VIRTUAL, Opened, Outputs, Unopened
from improv.live.performance import Hand
from improv.live.process import Settings
from improv.live.recorder import Takes
from improv.live.sync import SYNCS, Kind
from improv.live.thinker import Asking
from improv.live.transport import START_SECONDS, Transport
from improv.live.tune import is_midi_file
from improv.music.key import parse_key

STATUS_SECONDS = 0.05


class Engine:
    """Steered by the commands of improv.live.messages, it reports in their reports.

    Args:
        settings: what to start with.
        clock: real, or virtual for tests.
        thinker: where the improviser is.
        outputs: where the music goes.
        player_input: where the player's notes come from.
        report: takes every report, from the loop and from the recorder's thread; must not block.
        priority: with which the loop runs, as in Status.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        thinker: Asking,
        outputs: Outputs,
        player_input: Input,
        report: Callable[[say.Report], None],
        priority: str = "normal",
    ) -> None:
        self.settings, self.clock, self.thinker, self.outputs = settings, clock, thinker, outputs
        self._input, self.report, self._priority = player_input, report, priority
        self.knobs = dict(settings.knobs)
        self.mode = settings.mode
        self.model: Loaded | None = None
        self._takes = Takes(report, Path(settings.take) if settings.take else None)
        self.transport = Transport(clock, self.knobs, outputs, self._takes, thinker, self._hand, report)
        self.player = self.transport.player
        self._ends_at = math.inf
        self._seed = settings.seed if settings.seed is not None else random.SystemRandom().getrandbits(32)
        self._next_status = 0.0
        self._lateness = 0.0
        self._unopened_reasons: set[str] = set()
        self._play_when_ready = settings.autoplay
        self._ends_with_music = settings.autoplay
        self._running = True

    # --- the loop ---------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Runs until Quit. However it ends, every note is released and the take kept."""
        with closing(self._takes), closing(self.outputs):  # the outputs first: no disk keeps a note sounding
            try:
                self._begin()
                while self._running:
                    self._turn()
            finally:
                self.transport.stop()

    def _begin(self) -> None:
        self._set_sync(self.settings.sync)
        self._set_key(self.settings.key)
        self._set_input(self.settings.input or VIRTUAL)
        self._set_outputs([VIRTUAL, SYNTH] if self.settings.outputs is None else self.settings.outputs)
        self._load(self.settings.model)

    def _turn(self) -> None:
        """Waits for what comes first, and does it."""
        item = self.clock.wait(min(self._next_status, self.transport.due()))
        if item is not None:
            self._handle(item)
        now = self.clock.now()
        if item is None:  # or a pulse may be waiting in the inbox
            self.transport.watch_clock(now)
        self._lateness = max(self._lateness, self.transport.advance(now))
        if self._over(now):
            self._stop()
        if now >= self._next_status:
            self._report_status(now)

    def _over(self, now: float) -> bool:
        """Whether the time is up, or where none was set, the tune."""
        if self.settings.seconds is not None:
            return now >= self._ends_at
        return self.transport.beat(now) >= self.player.ending_beat

    # --- what arrives -----------------------------------------------------------------------------------------------

    def _handle(self, item: object) -> None:
        match item:
            case Arrived(at, message) if message[0] < Kind.POSITION:
                self.player.hear(at, message)
            case Arrived(at, message):
                self._hear_clock(at, message)
            case Answer():
                if self.transport.performance is not None:
                    self.transport.performance.answered(item, self.clock.now())
            case Loaded():
                self._loaded(item)
            case Sampler(sampler, chosen) if self.model is not None:
                self.model = replace(self.model, sampler=sampler, chosen=chosen)
            case Failed(text, job):
                self._failed(text, job)
            case Opened():
                self.outputs.opened(item)
                self._play_if_asked()
            case Unopened():
                self._unopened(item)
            case InputLost():
                self.player.lost(self.clock.now())
            case say.Ports() | say.Problem() | say.Notice():
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
                    self._stop()
                case say.Panic():
                    self.transport.panic()
                case say.Quit():
                    self._running = False
                case say.Left():
                    self._go_on_alone()
                case say.SetKnob(name, value):
                    self._set_knob(name, value)
                case say.SetMode(name):
                    if name not in MODES:
                        raise ImprovError(f"there is no mode {name}: choose one of {', '.join(MODES)}")
                    self.mode = name
                case say.SetSync(name):
                    self._set_sync(name)
                case say.SetKey(name):
                    self._set_key(name)
                case say.SetModel(path):
                    self._load(path)
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

    # --- play and stop ----------------------------------------------------------------------------------------------

    def _play(self) -> None:
        if self.transport.performance is not None:
            return
        if self.model is None:
            self._play_when_ready = True
            return
        self.transport.play(self.model)
        self._count_down()
        self._next_status = 0.0  # now: nobody should draw a note before it is known that it plays

    def _count_down(self) -> None:
        """The seconds that were set begin to run: for every performance anew, in a headless session for all at once."""
        if self.settings.seconds is not None and not (self.settings.autoplay and self._ends_at < math.inf):
            self._ends_at = self.clock.now() + START_SECONDS + self.settings.seconds

    def _stop(self) -> None:
        """Ends the performance, and with it a headless session."""
        self.transport.stop()
        self._ends_at = math.inf
        self._next_status = 0.0
        self._running = self._running and not self._ends_with_music

    def _go_on_alone(self) -> None:
        """Plays on to the end of what is played, if that is wanted; then, or else, nothing is left to be done."""
        self._ends_with_music = True
        self._running = self._running and self.settings.keep_playing and self.transport.performance is not None
        if self._running:
            self.report(say.Notice(f"playing on alone, in process {os.getpid()}: a signal to it ends that"))

    def _hear_clock(self, at: float, message: bytes) -> None:
        """Another program's clock: it gives the tempo and the beat, starts and stops."""
        if self.transport.sync == "internal":
            return
        self.transport.midi_clock.hear(at, message)
        match message[0]:
            case Kind.PULSE:
                self.transport.follow()
            case Kind.START | Kind.CONTINUE:
                self.transport.stop()
                self._play()
            case Kind.STOP:
                self._play_when_ready = self._play_when_ready and self.settings.autoplay
                self.transport.stop()
                self._next_status = 0.0

    def _hand(self) -> Hand:
        return Hand(MODES[self.mode], Controls.of(self.knobs))

    # --- settings ---------------------------------------------------------------------------------------------------

    def _set_knob(self, name: str, value: float) -> None:
        if name not in KNOBS:
            raise ImprovError(f"there is no knob {name}: turn one of {', '.join(KNOBS)}")
        value = KNOBS[name].check(value)
        if name == "tempo":
            self.transport.set_tempo(value)
        else:
            self.knobs[name] = value

    def _set_sync(self, name: str) -> None:
        if name not in SYNCS:
            raise ImprovError(f"there is no sync {name}: choose one of {', '.join(SYNCS)}")
        self.transport.set_sync(name)

    def _set_key(self, name: str) -> None:
        self.thinker.ask(Follow(None if name == "auto" else parse_key(name)))

    def _set_input(self, name: str) -> None:
        self._unopened_reasons.clear()
        self.player.release(self.clock.now())
        self._input.set("" if self.player.choose(name) else name)

    def _set_outputs(self, names: list[str]) -> None:
        self._unopened_reasons.clear()
        self.transport.partner_files = [Path(name) for name in names if is_midi_file(name)]
        self.outputs.set([name for name in names if not is_midi_file(name)])

    def _load(self, path: str) -> None:
        self.thinker.ask(Load(path, self._seed, int(self.knobs["k"]), self.settings.device))

    def _loaded(self, model: Loaded) -> None:
        self.model = model
        self.transport.change_model(model)
        self._play_if_asked()

    def _play_if_asked(self) -> None:
        """Plays, if that was asked for, as soon as the model is loaded and the ports are open."""
        if not self._play_when_ready or self.model is None or self.outputs.waiting:
            return
        self._play_when_ready = False
        if self.settings.autoplay and self.transport.sync == "midi" and not self.transport.running:
            self._count_down()
            self.report(say.Notice("waiting for the start message of the MIDI clock"))
        else:
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
        elif self.transport.performance is not None and isinstance(job, Think):
            self.transport.performance.thinker_failed()

    # --- reports ----------------------------------------------------------------------------------------------------

    def _report_status(self, now: float) -> None:
        self._next_status = now + STATUS_SECONDS
        status = say.Status(
            "loading" if self.model is None else "stopped",
            mode=self.mode,
            bar_beats=self.player.bar_beats,
            model=self.model.path if self.model else "",
            sampler=self.model.sampler if self.model else "",
            chosen=self.model.chosen if self.model else "",
            knobs=dict(self.knobs),
            inputs=self._input.states(),
            outputs=self.outputs.states(),
            priority=self._priority,
            sync=self.transport.sync,
            following=self.transport.following,
        )
        performance = self.transport.performance
        if performance is not None:
            status = replace(
                status,
                state="playing",
                beat=performance.timeline.beat_at(now),
                key=performance.key,
                turn=performance.turn.whose,
                missed=performance.missed,
                steps=performance.steps,
                compute_ms=1000 * performance.compute_seconds,
                lateness_ms=1000 * self._lateness,
            )
        self.report(status)
        self._lateness *= 0.9  # the worst of about the last second

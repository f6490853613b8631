"""The panel: one window that draws what the engine reports and sends it commands."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Protocol

from PyQt6 import sip
from PyQt6.QtCore import Qt, QTimer
from PyQt6.QtGui import QCloseEvent, QIcon
from PyQt6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from improv.knobs import KNOBS
from improv.live import messages as say
from improv.live.modes import MODES
from improv.live.process import EngineProcess, Settings
from improv.resources import asset
from ui import style
from ui.banner import Banner
from ui.beat import BeatClock
from ui.choices import Choices
from ui.display import connect_display
from ui.keys import ComputerKeys
from ui.knob import KnobControl
from ui.piano import Piano
from ui.roll import Roll
from ui.status_line import StatusLine
from ui.transport import Transport

_POLL_MS, _FRAME_MS = 30, 16
_STEADY_BARS = 4  # played by an engine that was started again, and it is as good as any other
_SETTLING = 0.5
"""Seconds after a command in which a report may still tell of the time before it."""


class Engine(Protocol):
    """What the panel needs of an engine: improv.live.process.EngineProcess, or one that a test plays."""

    @property
    def ended(self) -> bool:
        """Whether it is gone and its last report has come."""

    def send(self, command: say.Command) -> None:
        """Hand it a command."""

    def new_reports(self) -> Iterator[say.Report]:
        """Its reports since the last call."""

    def close(self) -> int:
        """End it; returns its exit status."""


class Panel(QWidget):
    """The window. It owns the engine: it starts it, starts it again should it die, and ends it when it closes."""

    def __init__(self, settings: Settings, start_engine: Callable[[Settings], Engine] = EngineProcess) -> None:
        super().__init__()
        self.settings = settings
        self._start_engine = start_engine
        self._engine = start_engine(settings)
        self._alive, self._restarted, self._fatal = True, False, ""
        self._displaced = False  # whether a take is not where it was to be
        self._status = say.Status("loading")
        self._clock = BeatClock()
        self._commanded = 0.0
        self.transport, self.choices, self.banner = Transport(), Choices(settings), Banner()
        self.roll, self.piano, self.status_line = Roll(), Piano(), StatusLine()
        self.knobs = {name: KnobControl(knob, settings.knobs[name]) for name, knob in KNOBS.items()}
        self._lay_out()
        self._connect()
        self._invite()

    @property
    def exit_status(self) -> int:
        """0, or 1 where the engine ended by itself and was not started again, or a take is not where it was to be."""
        return 0 if self._alive and not self._displaced else 1

    def closeEvent(self, event: QCloseEvent | None) -> None:
        """End the engine, which releases every note and keeps the take."""
        self._poll_timer.stop()
        self._frame_timer.stop()
        self.piano.release_all()
        self.hide()  # the engine may take a moment to write the take; the window need not be watched meanwhile
        if self._alive:
            self._engine.close()
        for report in self._engine.new_reports():
            match report:
                case say.TakeKept(path, empty=False):
                    print(f"take kept in {path}", file=sys.stderr)
                case say.Problem(text, about=say.TAKE):
                    self._displaced = True
                    print(f"improv: {text}", file=sys.stderr)
        super().closeEvent(event)

    def _lay_out(self) -> None:
        self.setWindowTitle("improv")
        self.setMinimumSize(820, 540)
        self.resize(1080, 720)
        hand = QHBoxLayout()
        hand.setSpacing(4)
        for knob in self.knobs.values():
            hand.addWidget(knob)
        hand.addSpacing(18)
        hand.addWidget(self.choices, stretch=1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 12, 16, 8)
        layout.setSpacing(10)
        layout.addWidget(self.transport)
        layout.addLayout(hand)
        layout.addWidget(self.banner)
        layout.addWidget(self.roll, stretch=3)
        layout.addWidget(self.piano, stretch=1)
        layout.addWidget(self.status_line)

    def _connect(self) -> None:
        for knob in self.knobs.values():
            knob.command.connect(self._send)
        self.transport.command.connect(self._send)
        self.choices.command.connect(self._send)
        self.piano.command.connect(self._send)
        self.banner.restart_asked.connect(self._restart)
        keys = ComputerKeys(self, self.piano)
        keys.toggled.connect(self.transport.toggle)
        keys.panicked.connect(self.transport.panic.click)
        self._poll_timer, self._frame_timer = QTimer(self), QTimer(self)
        self._poll_timer.timeout.connect(self._poll)
        self._poll_timer.start(_POLL_MS)
        self._frame_timer.setInterval(_FRAME_MS)
        self._frame_timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._frame_timer.timeout.connect(self._draw_beat)

    def _send(self, command: say.Command) -> None:
        """Hand a command to the engine, and remember what is chosen for an engine that has to be started again."""
        if not isinstance(command, say.PlayNote):
            self._commanded = time.monotonic()
        match command:
            case say.Play():
                self.roll.clear()
                self.banner.clear()
                self.status_line.forget_take()
            case say.SetKnob(name, value):
                self.settings = replace(self.settings, knobs={**self.settings.knobs, name: value})
            case say.SetMode(name):
                self.settings = replace(self.settings, mode=name)
                self._invite()
            case say.SetKey(name):
                self.settings = replace(self.settings, key=name)
            case say.SetSync(name):
                self.settings = replace(self.settings, sync=name)
            case say.SetModel(path):
                self.settings = replace(self.settings, model=path)
                if not self._alive:  # the one before would not load
                    self._restart()
                    return
            case say.SetInput(port):
                self.settings = replace(self.settings, input=port)
            case say.SetOutput(ports):
                self.settings = replace(self.settings, outputs=ports)
        self._engine.send(command)

    def _poll(self) -> None:
        """Take in what the engine said since the last time, then see whether it still runs."""
        ended = self._alive and self._engine.ended  # asked first: by then its last words are among the reports
        for report in self._engine.new_reports():
            self._take_in(report)
        if ended:
            self._bury()

    def _take_in(self, report: say.Report) -> None:
        match report:
            case say.Status():
                self._show_status(report)
            case say.Sounded():
                self.piano.hear(report)
                if self._status.state == "playing":
                    self.roll.hear(report)
            case say.Ports():
                self.choices.show_ports(report)
                self.settings = replace(self.settings, cables=report.cables)
            case say.Problem(text, fatal, about):
                self._fatal = text if fatal else self._fatal
                self._displaced |= about == say.TAKE
                self.banner.say(text, about=about)
            case say.Notice(text, about):
                self.banner.say(text, notice=True, about=about)
            case say.TakeKept(path, empty=False):
                self.status_line.show_take(path)

    def _show_status(self, status: say.Status) -> None:
        before, self._status = self._status.state, status
        if status.state != before:
            self._change_state(before, status.state)
        if status.model and status.model != self.settings.model:
            self.settings = replace(self.settings, model=status.model)
        if status.state == "playing":
            self._clock.report(status.beat, status.knobs["tempo"], time.monotonic())
            self._restarted = self._restarted and status.beat < _STEADY_BARS * status.bar_beats
        self.transport.show_status(status)
        self.choices.show_status(status)
        self.status_line.show_status(status)
        if time.monotonic() - self._commanded > _SETTLING:
            self._show_settings(status)

    def _change_state(self, before: str, state: str) -> None:
        self._invite()
        if state == "playing":
            self._clock = BeatClock()
            self.roll.clear()
            self._frame_timer.start()
        elif before == "playing":
            self._frame_timer.stop()
            self.roll.end_notes()  # and stay in view: what was played can be looked at

    def _show_settings(self, status: say.Status) -> None:
        """Show what the engine plays with, wherever that was changed."""
        self.choices.show_mode(status.mode)
        self.choices.show_sync(status.sync)
        for name, value in status.knobs.items():
            if name in self.knobs:
                self.knobs[name].show_value(value)

    def _draw_beat(self) -> None:
        beat = self._clock.at(time.monotonic())
        self.roll.set_beat(beat, self._status.bar_beats)
        self.transport.show_beat(beat, self._status.bar_beats)

    def _invite(self) -> None:
        """Say in the empty roll what can be done now."""
        mode = MODES[self.settings.mode]
        self.roll.invite(
            {
                "loading": "Loading the model. The window is ready, the partner is on its way.",
                "stopped": "Press space to play. Your keyboard, the mouse or the keys A W S E D F … are your part;"
                f" Z and X shift the octave.\n\n{self.settings.mode}: {mode.help}",
                "playing": "Play something.",
            }.get(self._status.state, "")
        )

    def _bury(self) -> None:
        """The engine ended without being asked: say so, and start it again where that is likely to help."""
        status, played = self._engine.close(), self._status.state == "playing"
        self._alive = False
        self._silence()
        if self._fatal:
            self.banner.say(self._fatal, ended=True)
        elif status == 0 and self.settings.autoplay:
            self._alive = True  # it has played as long as it was asked to
            self.close()
        elif self._restarted:  # and gone again before it played for long: it would die again and again
            self.banner.say(f"The engine stopped unexpectedly again ({_reason(status)}).", ended=True)
        else:
            self._restart()
            self._restarted = True
            if played:  # a new take, as soon as the model is loaded: no hand may be free to ask for it
                self._engine.send(say.Play())
            self.banner.say(f"The engine stopped unexpectedly ({_reason(status)}) and was started again.")

    def _silence(self) -> None:
        self._show_status(say.Status("ended"))
        self.piano.release_all()
        self.piano.silence()

    def _restart(self) -> None:
        self.settings = replace(self.settings, autoplay=False)
        self._engine = self._start_engine(self.settings)
        self._alive, self._fatal = True, ""
        self.banner.clear()
        self._show_status(say.Status("loading"))


def _reason(status: int) -> str:
    if status < 0:
        return f"ended by signal {-status}"
    return f"it failed with exit status {status}" if status else "it was told to end"


def open_panel(settings: Settings, start_engine: Callable[[Settings], Engine] = EngineProcess) -> int:
    """Open the window and play until it is closed; returns the exit status.

    Raises:
        ImprovError: there is no display to open a window on.
    """
    app = connect_display()
    style.dress(app)
    app.setApplicationName("improv")
    app.setWindowIcon(QIcon(str(asset("icon.svg"))))
    panel = Panel(settings, start_engine)
    # The poll timer gives the interpreter a moment, thirty times a second, to run these; but they may also come in the
    # middle of painting, and are left to the event loop.

    def close(*_: object) -> None:
        QTimer.singleShot(0, panel.close)

    before = {number: signal.signal(number, close) for number in (signal.SIGINT, signal.SIGTERM)}
    panel.show()
    try:
        app.exec()
        return panel.exit_status
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        sip.delete(panel)  # before the application goes, which would take the widgets from under it, and crash

"""The engine's process: commands on standard input, reports on standard output, and the real ports."""

from __future__ import annotations

import faulthandler
import math
import os
import queue
import signal
import sys
import threading
import traceback
from contextlib import suppress
from functools import partial
from typing import IO

from improv.errors import ImprovError
from improv.live.clock import Inbox, RealClock
from improv.live.engine import Engine
from improv.live.inputs import Listing, PlayerInput, in_background
from improv.live.messages import Left, Notice, Problem, Quit, Report, Sounded, Status, TakeKept, decode, encode
from improv.live.news import PortNews
from improv.live.outputs import SYNTH, Output, Outputs
from improv.live.ports import Patchbay
from improv.live.priority import BESIDE, LOOP, ask_for_realtime
from improv.live.process import Settings
from improv.live.thinker import Thinker

SWITCH_SECONDS = 0.0005  # how long another thread of this process may keep the loop from running
BACKLOG = {Status: 2_000, Sounded: 20_000}  # reports; beyond it nobody is reading, and what soon is out of date goes


class Reporter:
    """Writes reports from a thread of its own: a reader that stalls must not stall the loop, nor fill the memory.

    What it is not told then are statuses and notes; of a note that it has been told of, it is told the end.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._begun: set[tuple[str, int]] = set()  # notes that were reported and have not ended
        self._reports: queue.SimpleQueue[Report | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="reporter", daemon=True)
        self._thread.start()

    def report(self, report: Report) -> None:
        """Queues a report; never blocks."""
        if self._wanted(report):
            self._reports.put(report)

    def close(self) -> None:
        """Lets the last reports out, unless nobody reads them."""
        self._reports.put(None)
        self._thread.join(timeout=1.0)

    def _wanted(self, report: Report) -> bool:
        room = self._reports.qsize() < BACKLOG.get(type(report), math.inf)
        if not isinstance(report, Sounded):
            return room
        note = report.part, report.pitch
        if report.velocity == 0:
            known = note in self._begun
            self._begun.discard(note)
            return known
        if room:
            self._begun.add(note)
        return room

    def _write(self) -> None:
        read = True
        while (report := self._reports.get()) is not None:
            read = read and self._pass_on(report)
            if not read:
                _tell(report)

    def _pass_on(self, report: Report) -> bool:
        """Whether there is somebody who reads it."""
        try:
            self._stream.write(encode(report))
            self._stream.flush()
        except OSError:
            return False
        return True


def _tell(report: Report) -> None:
    """Tells a report that nobody reads to whoever looks at the terminal."""
    match report:
        case Problem(text) | Notice(text):
            pass
        case TakeKept(path, empty=False):
            text = f"take kept in {path}"
        case _:
            return
    with suppress(OSError):  # the terminal, too, may be closed
        print(f"improv: {text}", file=sys.stderr, flush=True)


def main() -> int:
    """Runs one engine with the settings in the first argument."""
    faulthandler.enable()  # should a MIDI library crash, it says where
    settings = Settings.from_json(sys.argv[1])
    priority = "realtime" if ask_for_realtime(BESIDE) else "normal"  # before the other threads are begun
    reports = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints must not stand among the reports
    reporter = Reporter(reports)
    clock = RealClock()
    sys.setswitchinterval(SWITCH_SECONDS)
    asked = threading.Event()  # by whoever started the engine, to end
    signalled: list[int] = []  # they do not end it so, but insist at most: otherwise, to them, it has failed

    def on_signal(number: int, _frame: object) -> None:
        if not asked.is_set():
            signalled.append(number)
        clock.inbox.put(Quit())

    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, on_signal)
    threading.Thread(target=_read_commands, args=(clock.inbox, asked), name="commands", daemon=True).start()
    thinker = Thinker(clock.inbox)
    try:
        inbox = clock.inbox
        listing = Listing(inbox)
        with Patchbay(PortNews(inbox).tell, listing.tell, settings.cables) as patchbay:
            listing.tell(patchbay.list_ports())
            outputs = Outputs(partial(_open_output, patchbay, inbox), inbox, in_background)
            engine = Engine(settings, clock, thinker, outputs, PlayerInput(patchbay, inbox), reporter.report, priority)
            ask_for_realtime(LOOP)
            engine.run()
        return 1 if signalled else 0
    except ImprovError as error:
        reporter.report(Problem(str(error), fatal=True))
        return 1
    except Exception as error:
        reporter.report(
            Problem(f"improv broke down ({type(error).__name__}: {error}); every note was released", fatal=True)
        )
        raise
    finally:
        reporter.close()


def _read_commands(inbox: Inbox, asked: threading.Event) -> None:
    """Passes on what stands on standard input, and its end, which the death of who writes there is, too."""
    try:
        for line in sys.stdin:
            try:
                command = decode(line)
            except ValueError as error:
                command = Problem(str(error))
            if isinstance(command, Quit):
                asked.set()
            inbox.put(command)
    finally:
        asked.set()
        inbox.put(Left())


def _open_output(patchbay: Patchbay, inbox: Inbox, name: str) -> Output:
    if name != SYNTH:
        return patchbay.open_output(name)
    from improv.live.synth import open_synth

    return open_synth(inbox.put)


if __name__ == "__main__":
    try:
        status = main()
    except Exception:
        traceback.print_exc()
        status = 1
    os._exit(status)  # all is closed; the thinker's thread may be deep in a library that does not survive a shutdown

"""Keeping the takes: a thread of its own writes every note to disk as it is played; the loop never waits for a disk."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from improv.errors import ImprovError
from improv.live.messages import TAKE, Notice, Problem, Report, TakeBegun, TakeKept
from improv.music import take as takes
from improv.music.journal import PARTS, Journal
from improv.music.score import TimeSignature
from improv.resources import new_take, spare_folders

SYNC_SECONDS = 1.0  # a power cut costs about so much


class Takes:
    """The take that is being recorded, and with it the partner's part into any files that were named as outputs.

    All is done in the recorder's thread, in the order in which it was asked for; no method but `close` waits. What a
    session that died has left in the folder of the takes is rescued first.

    Args:
        report: takes TakeBegun, TakeKept, Notice and Problem; called from the recorder's thread.
        take: where takes go, by this name or the next that is free; None names them by date and time.
    """

    def __init__(self, report: Callable[[Report], None], take: Path | None) -> None:
        self._report, self._take = report, take
        self._written: set[Path] = set()
        self._rescued: set[Path] = set()  # the folders that were searched
        self._journals: dict[Path, Journal] = {}  # by take
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._jobs.put(lambda: self._rescue(self._wanted().parent))
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def begin(self, signature: TimeSignature, tempo: float, partner_files: Sequence[Path] = ()) -> None:
        """A take begins in this time signature and tempo (BPM); `partner_files` get the partner's part."""
        self._jobs.put(partial(self._begin, signature, tempo, partner_files))

    def note(self, part: str, pitch: int, velocity: int, beat: float) -> None:
        """`part` strikes `pitch` at `beat`, or lets go of it where velocity is 0."""
        self._write(Journal.note, part, pitch, velocity, beat)

    def pedal(self, value: int, beat: float) -> None:
        """The player moves the sustain pedal to `value`, 0..127."""
        self._write(Journal.pedal, value, beat)

    def tempo(self, beat: float, bpm: float) -> None:
        """The tempo is `bpm` from `beat` on."""
        self._write(Journal.tempo, beat, bpm)

    def keep(self) -> None:
        """The take ends."""
        self._jobs.put(self._keep)

    def close(self) -> None:
        """Returns once all is on disk that was played."""
        self._jobs.put(None)
        self._thread.join()

    def _write(self, write: Callable[..., None], *what: object) -> None:
        self._jobs.put(partial(self._write_to_all, write, what))

    # --- in the recorder's thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        synced = time.monotonic()
        while (job := self._next_job()) is not None:
            try:
                job()
                if time.monotonic() >= synced + SYNC_SECONDS:
                    self._write_to_all(Journal.sync, ())
                    synced = time.monotonic()
            except Exception as error:  # the take may be lost, but not the next one
                self._report(Problem(f"cannot record: {str(error) or type(error).__name__}"))

    def _next_job(self) -> Callable[[], None] | None:
        """What was asked for next; nothing to do, where nothing is for a while."""
        with contextlib.suppress(queue.Empty):
            return self._jobs.get(timeout=SYNC_SECONDS)
        return lambda: None

    def _wanted(self) -> Path:
        return self._take or new_take()

    def _rescue(self, folder: Path) -> None:
        if folder in self._rescued:
            return
        self._rescued.add(folder)
        try:
            rescued, problems = takes.rescue(folder)
        except Exception as error:  # the take that is about to begin matters more
            rescued, problems = [], [str(error) or type(error).__name__]
        if rescued:
            names = ", ".join(map(str, rescued))
            self._report(Notice(f"left unfinished by an earlier session, now kept: {names}"))
        if problems:
            self._report(Notice(f"left by an earlier session, and not to be rescued: {'; '.join(problems)}"))

    def _begin(self, signature: TimeSignature, tempo: float, partner_files: Sequence[Path]) -> None:
        self._open(self._wanted(), PARTS)
        for path in partner_files:
            self._open(path, ("partner",))
        self._write_to_all(Journal.bar, signature)
        self._write_to_all(Journal.tempo, (0.0, tempo))

    def _open(self, wanted: Path, parts: Sequence[str]) -> None:
        self._rescue(wanted.parent)
        try:
            take, journal, obstacle = takes.begin(wanted, parts)
        except ImprovError as error:
            self._open_elsewhere(wanted, parts, str(error))
            return
        if take != wanted and self._take is not None and wanted not in self._written:
            self._report(Notice(f"{obstacle}; this take goes to {take}"))
        self._record(take, journal)

    def _open_elsewhere(self, wanted: Path, parts: Sequence[str], obstacle: str) -> None:
        for folder in spare_folders():
            with contextlib.suppress(ImprovError):
                take, journal, _ = takes.begin(folder / wanted.name, parts)
                self._report(Problem(f"{obstacle}; this take goes to {take}", about=TAKE))
                self._record(take, journal)
                return
        self._report(Problem(obstacle, about=TAKE))

    def _record(self, take: Path, journal: Journal) -> None:
        self._journals[take] = journal
        self._report(TakeBegun(str(take)))

    def _write_to_all(self, write: Callable[..., None], what: Sequence[object]) -> None:
        for journal in self._journals.values():
            before = journal.problem
            write(journal, *what)
            if journal.problem and journal.problem != before:
                self._report(Problem(journal.problem))

    def _keep(self) -> None:
        journals, self._journals = self._journals, {}
        for take, journal in journals.items():
            for report in finished(take, partial(takes.finish, journal)):
                if isinstance(report, TakeKept) and not report.empty:
                    self._written.add(Path(report.path))
                self._report(report)


def finished(take: Path, finish: Callable[[Path, Iterable[Path]], takes.Finished]) -> list[Report]:
    """Has a take finished, elsewhere where it must be; what there is to be told of that."""
    try:
        done = finish(take, spare_folders())
    except ImprovError as error:
        return [Problem(str(error), about=TAKE)]
    if done.take == take:
        return [TakeKept(str(take), empty=not done.n_notes)]
    problem = Problem(f"{done.obstacle}; this take goes to {done.take}", about=TAKE)
    return [problem, TakeKept(str(done.take), begun=str(take))]

"""Keeping the take: a thread of its own writes every note to disk as it is played; the loop never waits for a disk."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from improv.errors import ImprovError
from improv.live.clock import Inbox
from improv.live.messages import Problem, Report, TakeBegun, TakeKept
from improv.music.take import Journal, finish, journal_of

PART_NAMES = ("player", "partner")


class Recorder:
    """Records one take into a journal beside `path`, which becomes the MIDI file when the take ends.

    Args:
        parts: the parts to keep.
        on_problem: told in one line, once, when the disk fails; called from the recorder's thread.

    Raises:
        ImprovError: the file cannot be written there.
    """

    def __init__(
        self, path: Path, bar_beats: float, on_problem: Callable[[str], None], parts: tuple[str, ...] = PART_NAMES
    ) -> None:
        self.path = path
        self._parts = parts
        self._journal = Journal(journal_of(path))
        self._on_problem = on_problem
        self._lines: queue.SimpleQueue[tuple[Callable[..., None], tuple[Any, ...]] | None] = queue.SimpleQueue()
        self._lines.put((self._journal.bar, (bar_beats,)))
        self._thread = threading.Thread(target=self._write, name="recorder", daemon=True)
        self._thread.start()

    def note(self, part: str, pitch: int, velocity: int, beat: float) -> None:
        """A note of `part` begins, or ends where velocity is 0."""
        if part in self._parts:
            self._lines.put((self._journal.note, (part, pitch, velocity, beat)))

    def tempo(self, beat: float, bpm: float) -> None:
        """The tempo is `bpm` from `beat` on."""
        self._lines.put((self._journal.tempo, (beat, bpm)))

    def finish(self) -> Path | None:
        """Ends the take and writes the MIDI file; None where not a note was played.

        Raises:
            ImprovError: the take cannot be written; its journal is kept.
        """
        self._lines.put(None)
        self._thread.join()
        self._journal.close()
        return self.path if finish(journal_of(self.path), self.path) else None

    def _write(self) -> None:
        told = False
        while (line := self._lines.get()) is not None:
            write, arguments = line
            write(*arguments)
            if self._journal.problem and not told:
                told = True
                self._on_problem(self._journal.problem)


def rescue(take: Path) -> Path | None:
    """Makes a take of the journal that a killed session left at `take`; returns where, None where there was none."""
    journal = journal_of(take)
    if not journal.exists():
        return None
    number = 1
    while (rescued := take.with_name(f"{take.stem}-rescued{number}{take.suffix}")).exists():
        number += 1
    try:
        return rescued if finish(journal, rescued) else None
    except ImprovError:
        return None


class Takes:
    """The files that are being recorded: the take itself, and any that were named as outputs.

    Args:
        report: takes TakeBegun, TakeKept and Problem.
        inbox: of the loop, for what the recorders' threads have to say.
    """

    def __init__(self, report: Callable[[Report], None], inbox: Inbox) -> None:
        self._report, self._inbox = report, inbox
        self._recorders: list[Recorder] = []

    def begin(self, files: Mapping[Path, tuple[str, ...]], bar_beats: float, tempo: float) -> None:
        """Records into each of `files` the parts it names; one that cannot be written is reported."""
        for path, parts in files.items():
            try:
                rescued = rescue(path)
                recorder = Recorder(path, bar_beats, lambda text: self._inbox.put(Problem(text)), parts)
            except ImprovError as error:
                self._report(Problem(str(error)))
                continue
            if rescued:
                self._report(TakeKept(str(rescued)))
            recorder.tempo(0.0, tempo)
            self._recorders.append(recorder)
            self._report(TakeBegun(str(path)))

    def note(self, part: str, pitch: int, velocity: int, beat: float) -> None:
        """A note of `part` begins at `beat`, or ends where velocity is 0."""
        for recorder in self._recorders:
            recorder.note(part, pitch, velocity, max(0.0, beat))

    def tempo(self, beat: float, bpm: float) -> None:
        """The tempo is `bpm` from `beat` on."""
        for recorder in self._recorders:
            recorder.tempo(max(0.0, beat), bpm)

    def keep(self) -> None:
        """Ends them all and says where they are."""
        recorders, self._recorders = self._recorders, []
        for recorder in recorders:
            try:
                self._report(TakeKept(str(recorder.path), empty=recorder.finish() is None))
            except ImprovError as error:
                self._report(Problem(str(error)))

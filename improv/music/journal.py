"""The journal of a take: every note is written to a file as it is played, and the file about every second to the disk.

So a crash of this process loses nothing, and a power cut no more than the last second or so.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from improv.errors import ImprovError
from improv.files import lock_file, sync_folder

PARTS = ("player", "partner")
_SUFFIX = ".journal"


def journal_of(take: Path) -> Path:
    """Where the notes of `take` are kept while it is being played."""
    return take.with_name(take.name + _SUFFIX)


def take_of(journal: Path) -> Path:
    """The take that `journal` was begun for."""
    return journal.with_name(journal.name.removesuffix(_SUFFIX))


class InUse(ImprovError):
    """Another session is recording into that journal."""


class Journal:
    """Appends what is played to a file, one JSON array a line; the file is ours alone until it is closed.

    What writes to it never raises when the disk fails: the first trouble is kept in `problem`, and what is not written
    waits in memory, where `read` finds it, and is tried again with the next line.

    Args:
        path: the file; what is there already is kept.
        parts: the parts to keep; what the others do is passed over.

    Attributes:
        alone: whether it is certain that nobody else is recording there; a file system without locks cannot say.
        problem: what went wrong, in one line; None while all is well.

    Raises:
        InUse: another session is recording there.
        ImprovError: the file cannot be opened.
    """

    def __init__(self, path: Path, parts: Sequence[str] = PARTS) -> None:
        self.path, self._parts = path, parts
        self.problem: str | None = None
        self._waiting = b""
        self._unsynced = False
        try:
            made = [folder for folder in path.parents if not folder.exists()]
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file, self.alone = _open_alone(path)
            for new in (path, *made):
                sync_folder(new.parent)
        except OSError as error:
            raise ImprovError(f"cannot record to {path}: {error.strerror or error}") from error

    @property
    def empty(self) -> bool:
        """Whether nothing is written there."""
        return os.fstat(self._file).st_size == 0

    def note(self, part: str, pitch: int, velocity: int, beat: float) -> None:
        """`part` strikes `pitch` at `beat`, or lets go of it: velocity 0."""
        if part in self._parts:
            self._append(["note", part, pitch, velocity, beat])

    def pedal(self, value: int, beat: float) -> None:
        """The player moves the sustain pedal to `value`, 0..127, at `beat`."""
        if "player" in self._parts:
            self._append(["pedal", value, beat])

    def tempo(self, beat: float, bpm: float) -> None:
        """From `beat` on the tempo is `bpm`."""
        self._append(["tempo", beat, bpm])

    def bar(self, numerator: int, denominator: int) -> None:
        """The time signature."""
        self._append(["bar", numerator, denominator])

    def sync(self) -> None:
        """From here on not even a power cut loses what was written; waits for the disk."""
        if self._unsynced:
            self._unsynced = False
            try:
                os.fsync(self._file)
            except OSError as error:
                self._fail(error)

    def read(self) -> list[bytes]:
        """The lines so far, those that wait among them. Raises OSError."""
        return (self.path.read_bytes() + self._waiting).split(b"\n")

    def close(self) -> None:
        """Let go of the file; it stays until it has become a take."""
        if self._file >= 0:
            with suppress(OSError):
                os.close(self._file)
            self._file = -1

    def remove(self) -> None:
        """Close the file and remove it. Raises OSError."""
        if sys.platform == "win32":  # which removes no open file
            self.close()
            self.path.unlink()
        else:  # while it is ours, lest another session should have begun to record there
            self.path.unlink()
            self.close()

    def _append(self, line: list[Any]) -> None:
        self._waiting += (json.dumps(line) + "\n").encode()
        try:
            # One unbuffered write a line: once it returns, the line outlives this process.
            written = os.write(self._file, self._waiting)
            self._unsynced = True
            self._waiting = self._waiting[written:]  # a line that the disk took only in part is completed later
            if self._waiting:
                raise OSError("the disk is full")
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        self.problem = self.problem or f"cannot record to {self.path}: {error.strerror or error}"


def _open_alone(path: Path) -> tuple[int, bool]:
    """The open file, and whether it is locked."""
    while True:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        locked = lock_file(file)
        if locked is False:
            os.close(file)
            raise InUse(f"another session is recording to {path}")
        if os.fstat(file).st_nlink:  # else it was removed between our opening and our locking it
            return file, bool(locked)
        os.close(file)

"""The journal of a take: every note goes to disk as it is played, and becomes a MIDI file when the take is finished."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from improv.errors import ImprovError
from improv.music.midifile import MAX_BEATS, MAX_TEMPO, write_midi
from improv.music.score import DEFAULT_BAR_BEATS, Note

PARTS = ("player", "partner")


def journal_of(take: Path) -> Path:
    """Where the notes of `take` are kept while it is being played."""
    return take.with_name(take.name + ".journal")


class Journal:
    """Appends what is played to a file, one JSON array a line, so that even a killed process loses no note.

    No method raises when the disk fails: the first trouble is kept in `problem`, and the next line is tried again.

    Attributes:
        problem: what went wrong, in one line; None while all is well.

    Raises:
        ImprovError: the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problem: str | None = None
        self._torn = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        except OSError as error:
            raise ImprovError(f"cannot record to {path}: {error.strerror or error}") from error

    def note(self, part: str, pitch: int, velocity: int, beat: float, channel: int = 0) -> None:
        """`part` (`player` or `partner`) strikes `pitch` at `beat`, or releases it: velocity 0."""
        self._append(["note", part, pitch, velocity, beat, channel])

    def tempo(self, beat: float, bpm: float) -> None:
        """From `beat` on the tempo is `bpm`."""
        self._append(["tempo", beat, bpm])

    def bar(self, beats: float) -> None:
        """A bar has so many beats."""
        self._append(["bar", beats])

    def close(self) -> None:
        """Let go of the file; it stays until `finish` has turned it into a take."""
        if self._file >= 0:
            with suppress(OSError):
                os.close(self._file)
            self._file = -1

    def _append(self, line: list[Any]) -> None:
        # A line that the disk took only in part must not spoil the next one.
        content = ("\n" * self._torn + json.dumps(line) + "\n").encode()
        try:
            # One unbuffered write a line: once it returns, the line outlives this process.
            self._torn = os.write(self._file, content) < len(content)
            if self._torn:
                raise OSError("the disk is full")
        except OSError as error:
            self.problem = self.problem or f"cannot record to {self.path}: {error.strerror or error}"


def finish(journal: Path, take: Path) -> int:
    """Turn a journal into a MIDI file with the tracks `player` and `partner`; returns how many notes it holds.

    Damaged lines are passed over, and notes that were never released end at the last beat of the journal. The journal
    is removed once the take is safely written; where no note was played, none is.

    Raises:
        ImprovError: the journal cannot be read, or the take cannot be written: then the journal stays.
    """
    played = _Played()
    try:
        for line in journal.read_bytes().split(b"\n"):
            played.add(line)
        notes = played.ended()
        count = sum(map(len, notes.values()))
        if count:
            write_midi(take, notes, sorted(played.tempo_map), played.bar_beats)
        journal.unlink()
    except OSError as error:
        raise ImprovError(f"cannot finish {journal}: {error.strerror or error}") from error
    except ImprovError as error:
        raise ImprovError(f"{error}; the notes are kept in {journal}") from error
    return count


class _Played:
    """What the lines of a journal say was played."""

    def __init__(self) -> None:
        self.notes: dict[str, list[Note]] = {part: [] for part in PARTS}
        self.tempo_map: list[tuple[float, float]] = []
        self.bar_beats = DEFAULT_BAR_BEATS
        self._last = 0.0
        self._pending: dict[tuple[str, int, int], tuple[float, int]] = {}

    def add(self, line: bytes) -> None:
        """Play one line, if it is one that a Journal wrote."""
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            return
        match values:
            case ["note", str(part), int(pitch), int(velocity), int() | float() as beat, int(channel)]:
                within = 0 <= pitch < 128 and 0 <= velocity < 128 and 0 <= channel < 16 and abs(beat) < MAX_BEATS - 1
                if part in PARTS and within:
                    self._note((part, pitch, channel), velocity, self._at(beat))
            case ["tempo", int() | float() as beat, int() | float() as bpm]:
                if abs(beat) < MAX_BEATS - 1 and 0 < bpm <= MAX_TEMPO:
                    self.tempo_map.append((self._at(beat), bpm))
            case ["bar", int() | float() as beats] if 0.25 <= beats <= 64:
                self.bar_beats = float(beats)

    def ended(self) -> dict[str, list[Note]]:
        """The notes of each part; those that still sound end at the last beat."""
        for key in list(self._pending):
            self._release(key, self._last)
        return self.notes

    def _at(self, beat: float) -> float:
        beat = max(beat, 0.0)  # what was played while the take counted in belongs to its beginning
        self._last = max(self._last, beat)
        return beat

    def _note(self, key: tuple[str, int, int], velocity: int, beat: float) -> None:
        self._release(key, beat)
        if velocity > 0:
            self._pending[key] = beat, velocity

    def _release(self, key: tuple[str, int, int], beat: float) -> None:
        if key in self._pending:
            onset, velocity = self._pending.pop(key)
            part, pitch, channel = key
            self.notes[part].append(Note(onset, max(onset, beat), pitch, velocity, channel))

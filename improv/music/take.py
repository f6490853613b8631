"""From journals to takes: MIDI files with the tracks `player` and `partner`."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from improv.errors import ImprovError
from improv.music.journal import PARTS, InUse, Journal, journal_of, take_of
from improv.music.midifile import MAX_BEATS, MAX_TEMPO, SUFFIXES, write_midi
from improv.music.score import COMMON_TIME, Note, TimeSignature

RESTING_SECONDS = 3600.0  # where there are no locks, a journal to which so long nothing was written is a dead session's


@dataclass(frozen=True)
class Finished:
    """What has become of a journal.

    Attributes:
        take: the MIDI file; where there is not a note, none is written.
        n_notes: how many notes it holds.
        obstacle: in one line, why it is not where it was to be; empty where it is.
    """

    take: Path
    n_notes: int
    obstacle: str = ""


def begin(wanted: Path, parts: Sequence[str] = PARTS) -> tuple[Path, Journal, str]:
    """A take of `parts` and its journal: `wanted`, or the first of `wanted-2`, `wanted-3`, ... that is free.

    Free is a name that no file has, for which no other session records and no journal was left: music is never written
    over. The text says in one line why it is not `wanted`; it is empty where it is.

    Raises:
        ImprovError: nothing can be recorded there.
    """
    obstacles: list[str] = []
    for take in _names(wanted):
        try:
            journal = Journal(journal_of(take), parts)
        except InUse:
            obstacles.append(f"another session is recording to {take}")
            continue
        if not journal.empty:
            journal.close()
            obstacles.append(f"{journal.path} holds an unfinished take")
        elif take.exists():
            journal.remove()
            obstacles.append(f"{take} exists")
        else:
            return take, journal, obstacles[0] if obstacles else ""
    raise AssertionError("the names never end")


def finish(journal: Journal, take: Path, spare: Iterable[Path] = ()) -> Finished:
    """Turn a journal into a MIDI file with the tracks `player` and `partner`: `take`, or where that cannot be written,
    as when the disk is full, a file of its name in the first of the folders `spare` that has room.

    Damaged lines are passed over, and notes that were never released end at the last beat of the journal. The journal
    is removed once the take is safely written; where no note was played, none is.

    Raises:
        ImprovError: the journal cannot be read, or the take cannot be written: then the journal stays.
    """
    played = _Played()
    try:
        for line in journal.read():
            played.add(line)
        n_notes = played.ended()
        written, obstacle = played.write(take, spare) if n_notes else (take, "")
        journal.remove()
    except OSError as error:
        raise ImprovError(f"cannot finish {journal.path}: {error.strerror or error}") from error
    except ImprovError as error:
        kept = f"the notes are kept in {journal.path}, as far as there is room"
        raise ImprovError(f"{error}; {kept}, and become a take at a later start") from error
    finally:
        journal.close()
    return Finished(written, n_notes, obstacle)


def finish_for_another(take: Path, spare: Iterable[Path] = ()) -> Finished:
    """`finish` for a session that died while it recorded `take`.

    Raises:
        ImprovError: see `finish`; or there is no journal, or another session has it.
    """
    if not journal_of(take).exists():
        raise ImprovError(f"the journal of {take} is gone")
    return finish(Journal(journal_of(take)), take, spare)


def rescue(folder: Path) -> tuple[list[Path], list[str]]:
    """Makes takes, named `...-rescued`, of the journals that dead sessions have left in `folder`.

    Returns them and, in one line each, what stands in the way of the others: a journal that cannot be read, or whose
    take cannot be written, stays. Where the file system has no locks, those stay, too, to which something was written
    less than an hour ago: a living session may have them.
    """
    rescued: list[Path] = []
    problems: list[str] = []
    journals = (path for path in folder.glob("*.journal") if any(suffix in path.name.lower() for suffix in SUFFIXES))
    for path in sorted(journals):
        try:
            rescued += _rescue(path)
        except InUse:
            pass
        except ImprovError as error:
            problems.append(str(error))
        except OSError as error:
            problems.append(f"cannot finish {path}: {error.strerror or error}")
    return rescued, problems


def _rescue(path: Path) -> list[Path]:
    if not os.path.lexists(path):  # its session has just finished it
        return []
    if not path.is_file():
        raise ImprovError(f"{path} is not a file")
    if not path.stat().st_size:  # it may be another session's, which is about to take it
        return []
    left = take_of(path)
    take = next(name for name in _names(left.with_stem(f"{left.stem}-rescued")) if not name.exists())
    journal = Journal(path)
    if not journal.alone and time.time() - path.stat().st_mtime < RESTING_SECONDS:
        journal.close()
        return []
    return [take] if finish(journal, take).n_notes else []


def _names(path: Path) -> Iterator[Path]:
    yield path
    for number in count(2):
        yield path.with_stem(f"{path.stem}-{number}")


class _Played:
    """What the lines of a journal say was played."""

    def __init__(self) -> None:
        self.notes: dict[str, list[Note]] = {part: [] for part in PARTS}
        self.pedal: list[tuple[float, int]] = []
        self.tempo_map: list[tuple[float, float]] = []
        self.signature = COMMON_TIME
        self._last = 0.0
        self._pending: dict[tuple[str, int], tuple[float, int]] = {}

    def add(self, line: bytes) -> None:
        """Play one line, if it is one that a Journal wrote."""
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            return
        match values:
            case ["note", str(part), int(pitch), int(velocity), int() | float() as beat]:
                if part in PARTS and 0 <= pitch < 128 and 0 <= velocity < 128 and _in_time(beat):
                    self._note((part, pitch), velocity, self._at(beat))
            case ["pedal", int(value), int() | float() as beat] if 0 <= value < 128 and _in_time(beat):
                self.pedal.append((self._at(beat), value))
            case ["tempo", int() | float() as beat, int() | float() as bpm] if 0 < bpm <= MAX_TEMPO and _in_time(beat):
                self.tempo_map.append((self._at(beat), bpm))
            case ["bar", int(numerator), int(denominator)] if (bar := TimeSignature(numerator, denominator)).usual:
                self.signature = bar

    def ended(self) -> int:
        """How many notes there are; those that still sound end at the last beat."""
        for key in list(self._pending):
            self._release(key, self._last)
        return sum(map(len, self.notes.values()))

    def write(self, take: Path, spare: Iterable[Path]) -> tuple[Path, str]:
        """See `finish`: where it is written, and why not where it was to be. Raises ImprovError."""
        try:
            self._write(take)
        except ImprovError as error:
            for folder in spare:
                with suppress(ImprovError):
                    return self._write_elsewhere(folder / take.name), str(error)
            raise
        return take, ""

    def _write(self, take: Path) -> None:
        write_midi(take, self.notes, sorted(self.tempo_map), self.signature, {"player": self.pedal})

    def _write_elsewhere(self, wanted: Path) -> Path:
        """Writes it under `wanted`, or the next name that is free; returns that."""
        take, journal, _ = begin(wanted)  # which keeps the name free
        try:
            self._write(take)
        finally:
            with suppress(OSError):
                journal.remove()
        return take

    def _at(self, beat: float) -> float:
        beat = max(beat, 0.0)  # what was played while the take counted in belongs to its beginning
        self._last = max(self._last, beat)
        return beat

    def _note(self, key: tuple[str, int], velocity: int, beat: float) -> None:
        self._release(key, beat)
        if velocity > 0:
            self._pending[key] = beat, velocity

    def _release(self, key: tuple[str, int], beat: float) -> None:
        if key in self._pending:
            onset, velocity = self._pending.pop(key)
            part, pitch = key
            # Each part has a channel of its own: where tracks are not told apart, too, the pedal is the player's alone.
            self.notes[part].append(Note(onset, max(onset, beat), pitch, velocity, PARTS.index(part)))


def _in_time(beat: float) -> bool:
    return abs(beat) < MAX_BEATS - 1

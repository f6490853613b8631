"""The notes on the piano-roll, from what the engine reports."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from improv.live.messages import Sounded

_KEPT = 128.0
"""Beats after which a note has left the widest window."""


@dataclass
class Note:
    """One note; times in beats since play, `end` is None while it sounds."""

    part: str
    pitch: int
    velocity: int
    begin: float
    end: float | None = None


class Notes:
    """The notes of the last bars, and those that sound now."""

    def __init__(self) -> None:
        self._notes: deque[Note] = deque()
        self._sounding: dict[tuple[str, int], Note] = {}

    def __iter__(self) -> Iterator[Note]:
        return iter(self._notes)

    def __len__(self) -> int:
        return len(self._notes)

    def hear(self, sounded: Sounded) -> None:
        """Take in a note's begin or end. A note struck again while it sounds ends there and begins anew."""
        held = self._sounding.pop((sounded.part, sounded.pitch), None)
        if held is not None:
            held.end = max(sounded.beat, held.begin)
        if sounded.velocity:
            note = Note(sounded.part, sounded.pitch, sounded.velocity, sounded.beat)
            self._sounding[sounded.part, sounded.pitch] = note
            self._notes.append(note)
        while self._notes and self._notes[0].begin < sounded.beat - _KEPT:
            self._notes.popleft()

    def end_all(self, beat: float) -> None:
        """End what sounds at `beat`."""
        for note in self._sounding.values():
            note.end = max(beat, note.begin)
        self._sounding.clear()

    def clear(self) -> None:
        """Forget all of them."""
        self._notes.clear()
        self._sounding.clear()

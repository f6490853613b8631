"""A MIDI file as the player: its notes become the player's, in real time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from improv.music.midifile import SUFFIXES, read_score
from improv.music.score import TimeSignature


def is_midi_file(name: str) -> bool:
    """Whether a port name means a MIDI file."""
    return name.lower().endswith(SUFFIXES)


@dataclass(frozen=True)
class Tune:
    """What the file plays.

    Attributes:
        events: (beat, pitch, velocity) in order; velocity 0 ends a note, and ends come before onsets.
        beats: where the last note ends.
        signature: how a bar is written.
        tempo: the file's first, in BPM.
    """

    events: list[tuple[float, int, int]]
    beats: float
    signature: TimeSignature
    tempo: float

    @classmethod
    def read(cls, path: Path) -> Tune:
        """The tune in `path`, all its parts together.

        Raises:
            ImprovError: the file cannot be read.
        """
        score = read_score(path)
        events = [(note.onset, note.pitch, note.velocity) for note in score.notes]
        events += [(note.end, note.pitch, 0) for note in score.notes]
        events.sort(key=lambda event: (event[0], event[2] > 0))
        return cls(events, max(note.end for note in score.notes), score.signature, score.tempo)

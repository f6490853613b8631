"""The ends of notes: which note-off, pedal or new note-on ends which note of a track."""

from __future__ import annotations

from improv.music.score import Note

PEDAL_DOWN = 64
"""The value of the sustain pedal's controller from which it is down."""


class Pairing:
    """Finds the end of every note of a track, as it sounds.

    A note ends at its note-off, or where its channel's sustain pedal is down by then, when that comes up. A new note-on
    ends a note that sounds on the same channel and pitch: it is struck again. Unmatched note-offs are ignored. Notes
    without an end last to the end of the track.
    """

    def __init__(self, track: int) -> None:
        self._track = track
        self._notes: list[Note] = []
        self._sounding: dict[tuple[int, int], tuple[float, int]] = {}  # (channel, pitch) -> (onset, velocity)
        self._let_go: dict[int, set[int]] = {}  # the pitches that only the pedal holds, of channels where it is down

    def strike(self, channel: int, pitch: int, velocity: int, beat: float) -> None:
        """A note-on."""
        self._end(channel, pitch, beat)
        self._let_go.get(channel, set()).discard(pitch)
        self._sounding[channel, pitch] = beat, velocity

    def let_go(self, channel: int, pitch: int, beat: float) -> None:
        """A note-off."""
        if channel in self._let_go:
            self._let_go[channel].add(pitch)
        else:
            self._end(channel, pitch, beat)

    def pedal(self, channel: int, value: int, beat: float) -> None:
        """A move of the sustain pedal."""
        if value >= PEDAL_DOWN:
            self._let_go.setdefault(channel, set())
            return
        for pitch in self._let_go.pop(channel, ()):
            self._end(channel, pitch, beat)

    def ended(self, beat: float) -> list[Note]:
        """The notes; those that still sound end at `beat`."""
        for channel, pitch in list(self._sounding):
            self._end(channel, pitch, beat)
        return self._notes

    def _end(self, channel: int, pitch: int, beat: float) -> None:
        if (channel, pitch) in self._sounding:
            onset, velocity = self._sounding.pop((channel, pitch))
            self._notes.append(Note(onset, beat, pitch, velocity, channel, self._track))


class PublishedPairing(Pairing):
    """Finds the ends of notes as the readers did that made the published piano-rolls.

    A new note-on discards a note that still sounds on the same channel and pitch: where it precedes the old note's
    note-off in the same tick, the old note is lost and the new one has no length. Unmatched note-offs are ignored,
    notes without an end are lost, and the pedal is not known.
    """

    def strike(self, channel: int, pitch: int, velocity: int, beat: float) -> None:
        """A note-on."""
        self._sounding[channel, pitch] = beat, velocity

    def pedal(self, channel: int, value: int, beat: float) -> None:
        """A move of the sustain pedal: nothing."""

    def ended(self, beat: float) -> list[Note]:  # noqa: ARG002 - it ends no note
        """The notes."""
        return self._notes

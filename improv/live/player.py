"""The human part: the keys and the pedal, wherever they are pressed, and the tune that may play in a human's place."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from pathlib import Path

from improv.live.outputs import ALL_NOTES_OFF, ALL_SOUND_OFF, CONTROL, NOTE_OFF, NOTE_ON, SUSTAIN, Outputs
from improv.live.performance import Performance
from improv.live.recorder import Takes
from improv.live.tune import Tune, is_midi_file
from improv.music.pairing import PEDAL_DOWN
from improv.music.score import COMMON_TIME, TimeSignature

ENDING_BARS = 1  # played on after a tune has ended


class Player:
    """Passes what the player does on to the performance, the synth and the take.

    The synth and the take get what hands and foot do, and sustain by themselves. The performance and `sounded` get what
    is heard: a note whose key is let go while the pedal is down ends when that comes up, or when it is struck again.

    Args:
        outputs: where the player is heard.
        takes: where the player is recorded.
        sounded: told of every note: pitch, velocity (0 where it ends) and beat.
    """

    def __init__(self, outputs: Outputs, takes: Takes, sounded: Callable[[int, int, float], None]) -> None:
        self._outputs, self._takes, self._sounded = outputs, takes, sounded
        self._performance: Performance | None = None
        self._down: dict[int, int] = {}  # pitch -> velocity
        self._sustained: dict[int, int] = {}  # likewise, of the notes that the pedal alone holds
        self._pedal = 0
        self._tune: Tune | None = None
        self._pending: deque[tuple[float, int, int]] = deque()  # of the tune, still to come: beat, pitch, velocity

    @property
    def signature(self) -> TimeSignature:
        """How a bar is written."""
        return self._tune.signature if self._tune else COMMON_TIME

    @property
    def bar_beats(self) -> float:
        """Beats in a bar."""
        return self.signature.beats

    @property
    def ending_beat(self) -> float:
        """Where a performance ends of itself: some time after its tune has, and never without one."""
        return self._tune.beats + ENDING_BARS * self.bar_beats if self._tune else math.inf

    def choose(self, name: str) -> bool:
        """Whether `name` is a MIDI file, which then plays instead of a person. Raises ImprovError."""
        tune = Tune.read(Path(name)) if is_midi_file(name) else None
        self._tune = tune
        self._pending.clear()
        return tune is not None

    def join(self, performance: Performance, beat: float, new_take: bool) -> None:
        """Plays in `performance` from `beat` on, with what sounds already."""
        self._performance = performance
        if self._tune is not None and new_take:
            self._pending = deque(self._tune.events)
        for pitch in self._sounding:
            performance.player.note_on(pitch, beat)
            if pitch in self._sustained:
                performance.player.sustain(pitch, beat)
        if new_take:
            self._begin_take(beat)

    def leave(self, at: float) -> None:
        """The performance ends at the moment `at`: a tune lets go of its notes, a person may go on."""
        if self._tune is not None:
            self.release(at)
        elif self._performance is not None:
            self._end_take(self._performance.timeline.beat_at(at))
        self._pending.clear()
        self._performance = None

    def due(self) -> float:
        """The moment of the tune's next note; infinite where there is none."""
        if self._performance is None or not self._pending:
            return math.inf
        return self._performance.timeline.seconds_at(self._pending[0][0])

    def play_tune(self, now: float) -> None:
        """Plays what is due of the tune."""
        while (at := self.due()) <= now:
            _, pitch, velocity = self._pending.popleft()
            self.note(at, pitch, velocity)

    def hear(self, at: float, message: bytes) -> None:
        """A MIDI channel message that arrived at the moment `at`."""
        kind, data = message[0] & 0xF0, message[1:]
        if kind in (NOTE_ON, NOTE_OFF):
            self.note(at, data[0], data[1] if kind == NOTE_ON else 0)
        elif kind == CONTROL and data[0] == SUSTAIN:
            self.pedal(at, data[1])
        elif kind == CONTROL and data[0] in (ALL_SOUND_OFF, ALL_NOTES_OFF):
            self.release(at)

    def note(self, at: float, pitch: int, velocity: int) -> None:
        """A key is struck at the moment `at`, or let go where `velocity` is 0."""
        if pitch in self._down:
            self._outputs.player(pitch, 0)
        elif not velocity:
            return
        beat = self._beat_at(at)
        self._takes.note("player", pitch, velocity, beat)
        let_go = self._down.pop(pitch, 0)
        if velocity:
            self._sustained.pop(pitch, None)
            self._down[pitch] = velocity
            self._outputs.player(pitch, velocity)
        elif self._pedal >= PEDAL_DOWN:
            self._sustained[pitch] = let_go
            if self._performance is not None:
                self._performance.player.sustain(pitch, beat)
            return
        self._sound(pitch, velocity, beat)

    def pedal(self, at: float, value: int) -> None:
        """The sustain pedal is moved to `value`, 0..127, at the moment `at`."""
        self._outputs.pedal(value)
        if value == self._pedal:
            return
        self._pedal = value
        beat = self._beat_at(at)
        self._takes.pedal(value, beat)
        if value < PEDAL_DOWN:
            for pitch in sorted(self._sustained):
                self._sound(pitch, 0, beat)
            self._sustained.clear()

    def release(self, at: float) -> None:
        """All keys and the pedal are up."""
        self.pedal(at, 0)
        for pitch in sorted(self._down):
            self.note(at, pitch, 0)

    def lost(self, at: float) -> None:
        """The keyboard is gone, so nobody else will release what it held."""
        if self._tune is None:
            self.release(at)

    @property
    def _sounding(self) -> dict[int, int]:
        """What is heard of the player now: velocity by pitch, in order of pitch."""
        return dict(sorted((self._down | self._sustained).items()))

    def _beat_at(self, at: float) -> float:
        return self._performance.timeline.beat_at(at) if self._performance is not None else 0.0

    def _sound(self, pitch: int, velocity: int, beat: float) -> None:
        if self._performance is not None:
            self._performance.player_note(pitch, velocity, beat)
        self._sounded(pitch, velocity, beat)

    def _begin_take(self, beat: float) -> None:
        """A new take has not heard yet of what sounds already."""
        if self._pedal:
            self._takes.pedal(self._pedal, beat)
        for pitch, velocity in self._sounding.items():
            self._takes.note("player", pitch, velocity, beat)
            if pitch in self._sustained:
                self._takes.note("player", pitch, 0, beat)
            self._sounded(pitch, velocity, beat)

    def _end_take(self, beat: float) -> None:
        """What sounds on after `beat` is not in the take."""
        for pitch in self._sounding:
            self._takes.note("player", pitch, 0, beat)
            self._sounded(pitch, 0, beat)
        if self._pedal:
            self._takes.pedal(0, beat)

"""The human part: the keys that are down, wherever they are pressed, and the tune that may play in a human's place."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from pathlib import Path

from improv.live.outputs import ALL_NOTES_OFF, ALL_SOUND_OFF, CONTROL, NOTE_OFF, NOTE_ON, SUSTAIN, Outputs
from improv.live.performance import Performance
from improv.live.tune import Tune, is_midi_file

BAR_BEATS = 4.0  # where no tune says otherwise
ENDING_BARS = 1  # played on after a tune has ended


class Player:
    """Passes what the player does on to the performance, the synth and the take.

    Args:
        outputs: where the player is heard.
        sounded: told of every note: pitch, velocity (0 where it ends) and beat.
    """

    def __init__(self, outputs: Outputs, sounded: Callable[[int, int, float], None]) -> None:
        self._outputs, self._sounded = outputs, sounded
        self._performance: Performance | None = None
        self._down: dict[int, int] = {}  # pitch -> velocity
        self._tune: Tune | None = None
        self._pending: deque[tuple[float, int, int]] = deque()  # of the tune, still to come: beat, pitch, velocity

    @property
    def bar_beats(self) -> float:
        """Beats in a bar."""
        return self._tune.bar_beats if self._tune else BAR_BEATS

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

    def join(self, performance: Performance, beat: float) -> None:
        """Plays in `performance` from `beat` on, with the keys that are down already."""
        self._performance = performance
        if self._tune is not None and beat == 0:
            self._pending = deque(self._tune.events)
        for pitch, velocity in sorted(self._down.items()):
            performance.player.note_on(pitch, beat)
            if beat == 0:  # a new take has not heard of them
                self._sounded(pitch, velocity, beat)

    def leave(self, at: float) -> None:
        """The performance ends at the moment `at`: a tune lets go of its notes, a person may go on."""
        if self._tune is not None:
            self.release(at)
        elif self._performance is not None:
            beat = self._performance.timeline.beat_at(at)
            for pitch in sorted(self._down):
                self._sounded(pitch, 0, beat)
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
            self._outputs.pedal(data[1])
        elif kind == CONTROL and data[0] in (ALL_SOUND_OFF, ALL_NOTES_OFF):
            self.release(at)

    def note(self, at: float, pitch: int, velocity: int) -> None:
        """A key is struck at the moment `at`, or let go where `velocity` is 0."""
        if pitch in self._down:
            del self._down[pitch]
            self._outputs.player(pitch, 0)
        elif not velocity:
            return
        if velocity:
            self._down[pitch] = velocity
            self._outputs.player(pitch, velocity)
        performance, beat = self._performance, 0.0
        if performance is not None:
            beat = performance.timeline.beat_at(at)
            performance.player_note(pitch, velocity, beat)
        self._sounded(pitch, velocity, beat)

    def release(self, at: float) -> None:
        """All keys and the pedal are up."""
        for pitch in sorted(self._down):
            self.note(at, pitch, 0)
        self._outputs.pedal(0)

    def lost(self, at: float) -> None:
        """The keyboard is gone, so nobody else will release what it held."""
        if self._tune is None:
            self.release(at)

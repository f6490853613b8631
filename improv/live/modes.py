"""How player and partner share the music. A mode decides, frame by frame, who plays and what the chain is clamped to.

A new mode is a class with a `help` line and a `turn` method, added to MODES.
"""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Moment:
    """The frame to be played, in musical terms.

    Attributes:
        beat: musical time of its tick, in beats since play.
        bar_beats: beats in a bar.
        idle_beats: beats since the player last held a key, whatever the pedal holds; infinite before the first note.
    """

    beat: float
    bar_beats: float
    idle_beats: float

    @property
    def bar(self) -> int:
        """Number of the bar, from 0."""
        return int(self.beat / self.bar_beats + 1e-9)


@dataclass(frozen=True)
class Turn:
    """Who does what in a frame.

    Attributes:
        partner_plays: whether the partner may sound.
        clamped: whether the chain is clamped to what the player sounds.
        whose: `player`, `partner` or `both`, for the panel.
    """

    partner_plays: bool
    clamped: bool
    whose: str


class Mode(Protocol):
    """One way of sharing the music."""

    help: str

    def turn(self, moment: Moment) -> Turn:
        """Who does what in the frame at `moment`."""


class Duet:
    """Plays along with the held notes; waits for the player to begin, and rests when the player has left."""

    help = "plays along with what you hold, and rests two bars after you"
    patience_bars = 2

    def turn(self, moment: Moment) -> Turn:
        """The partner plays unless the player has had no key down for longer than its patience."""
        listening = moment.idle_beats > self.patience_bars * moment.bar_beats
        return Turn(not listening, True, "player" if listening else "both")


class Trade:
    """Call and response: the player has two bars, then the partner has two."""

    help = "call and response: two bars you, two bars the partner"
    bars = 2

    def turn(self, moment: Moment) -> Turn:
        """The turn changes every `bars` bars; the player has the first."""
        partner = moment.bar // self.bars % 2 == 1
        return Turn(partner, False, "partner" if partner else "player")


class Solo:
    """The partner plays by itself; what the player adds is heard and remembered."""

    help = "the partner plays alone, and hears what you add"

    def turn(self, moment: Moment) -> Turn:  # noqa: ARG002 - a solo is one at any moment
        """Always the partner's."""
        return Turn(True, False, "partner")


MODES: dict[str, Mode] = {"duet": Duet(), "trade": Trade(), "solo": Solo()}

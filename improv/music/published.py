"""The rules by which published piano-rolls were made of MIDI files, so that figures can be set beside theirs.

They lose notes that ours keep (see PublishedPairing), the short ones too, and tell no repeated note from a held one
where it has no frame of silence before it.
"""

from __future__ import annotations

import math

from improv.errors import ImprovError
from improv.music.pianoroll import LOW, N_PITCHES, PianoRoll
from improv.music.score import DEFAULT_TEMPO, Score, frames_of

MUSICAL, SAMPLED, NOTTINGHAM = "musical", "sampled", "nottingham"
RULES = (MUSICAL, SAMPLED, NOTTINGHAM)
"""How notes become frames: MUSICAL is `to_roll`, the others are `published_roll`."""


def published_roll(
    score: Score, rules: str, grid: float, dt: float | None = None, low: int = LOW, n_pitches: int = N_PITCHES
) -> PianoRoll:
    """The roll of a score that was read with `published`, in frames of `grid` beats or, if given, of `dt` seconds.

    SAMPLED: a frame holds what sounds as it begins, as in the RNN-RBM tutorial (of 0.3 s) and the JSB Chorales of N.
    Boulanger-Lewandowski, Y. Bengio and P. Vincent, ICML 2012 (of a beat). NOTTINGHAM, of the same paper (half a
    beat): onsets and ends move to the nearest frame, and the first frame is left out.

    Raises:
        ImprovError: the roll would be absurdly long, or no note is left.
    """

    def tick(beat: float) -> int:
        position = beat / grid if dt is None else score.seconds_at(beat) / dt
        return max(math.floor(position + 0.5) - 1, 0) if rules == NOTTINGHAM else math.ceil(position - 1e-9)

    frames = frames_of(score.notes, tick, low, n_pitches, shortest=0)
    if not frames.any():
        raise ImprovError(f"no note is left by the rules {rules!r}")
    return PianoRoll(frames, grid if dt is None else dt * DEFAULT_TEMPO / 60, low, score.bar_beats)

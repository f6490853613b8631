"""What the partner makes of the player: the key, and the register that is the player's."""

from __future__ import annotations

from collections import deque
from functools import cache

import numpy as np
from numpy.typing import NDArray

from improv.model.config import Config
from improv.music.key import Key, estimate
from improv.music.pianoroll import SOUNDING, Frame

KEY_HALF_LIFE = 32.0  # beats after which a note weighs half in the key
REGISTER_BEATS = 8.0  # of the player's notes that say which register is theirs
MIDDLE_C = 60
KEY_MARGIN = 0.05  # how much better in correlation another key must fit for the partner to change to it
LEANING = 2.0  # nats, at temperature 1, by which the partner prefers the notes of a key it knows
LEADING_NOTE = 11  # semitones above the tonic: of use in minor too
ONE_HAND = 26  # semitones between the lowest and the highest of those notes; beyond, two hands play


class KeyListener:
    """Follows the key of what sounds, by pitch-class durations that fade with a half-life of KEY_HALF_LIFE beats."""

    def __init__(self, grid: float, low: int) -> None:
        self.key: Key | None = None
        self._weights = np.zeros(12)
        self._fade = 0.5 ** (grid / KEY_HALF_LIFE)
        self._low = low

    def hear(self, frame: Frame) -> None:
        """Takes in one frame [2, n_pitches]; `key` changes where another fits clearly better."""
        self._weights *= self._fade
        np.add.at(self._weights, (np.flatnonzero(frame[SOUNDING]) + self._low) % 12, 1.0)
        if not self._weights.any():
            return
        key, confidence = estimate(self._weights)
        if self.key is None or confidence > KEY_MARGIN:
            self.key = key


class Register:
    """Where the player has been playing: the partner accompanies a melody from below, and a bass from above."""

    def __init__(self, grid: float, low: int) -> None:
        self._low = low
        self._recent: deque[NDArray[np.intp]] = deque(maxlen=max(1, round(REGISTER_BEATS / grid)))

    def hear(self, player: Frame) -> None:
        """Takes in one frame of the player, [2, n_pitches]."""
        columns = np.flatnonzero(player[SOUNDING])
        if len(columns):
            self._recent.append(columns)

    def taken(self, shift: int) -> slice:
        """The columns that are the player's, in a roll moved by `shift` semitones.

        None are before the first note, and none are where two hands play: then the partner fills in between.
        """
        columns = np.concatenate(self._recent) if self._recent else np.array([], int)
        if not len(columns) or np.ptp(columns) > ONE_HAND:
            return slice(0, 0)
        if columns.mean() + self._low >= MIDDLE_C:
            return slice(max(0, int(columns.min()) + shift), None)
        return slice(0, max(0, int(columns.max()) + shift + 1))


@cache
def leaning(key: Key | None, config: Config) -> NDArray[np.float32]:
    """What knowing the key adds to the model's visible biases, [V]: what its scale has not is less likely by LEANING.

    The model has learned from music in C major and C minor and must guess by the notes which it is. Once it has taken
    one for the other it hears itself play that, and stays there.
    """
    lean = np.zeros((config.channels, config.n_pitches), np.float32)
    if key is not None and config.normalised:
        steps = (config.low + np.arange(config.n_pitches)) % 12  # above C
        lean[:, ~np.isin(steps, [*Key(0, key.minor).pitch_classes, LEADING_NOTE])] = -LEANING
    return lean.reshape(config.n_visible)

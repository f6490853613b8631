"""The voices of the built-in instrument: struck tones by frequency modulation (Chowning 1973), all rendered at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float32]
Mask = NDArray[np.bool_]

CHUNK = 128  # frames; envelopes are straight lines inside a chunk
N_SLOTS, POLYPHONY = 56, 48  # the slots beyond are for voices that make room and still fade
SILENT = 1e-5  # level at which a voice is over
DAMPED = 1 / 0.015  # 1/s; decay of a voice that makes room
ATTACK = 0.004  # seconds
LEVEL, INDEX, STRIKE = 0, 1, 2  # rows of the envelopes


@dataclass(frozen=True)
class Timbre:
    """How a note sounds. Times are time constants in seconds, all of A4 at full velocity.

    Attributes:
        ratio: frequency of the modulator over the note's.
        index, index_time: depth of the modulation, which is brightness, and its decay.
        strike_ratio, strike, strike_time: frequency over the note's, level and decay of what rings at the onset.
        ring: decay of a held note.
        release: decay after note-off.
        pan: 0 is left, 1 is right.
    """

    ratio: float
    index: float
    index_time: float
    strike_ratio: float
    strike: float
    strike_time: float
    ring: float
    release: float
    pan: float


ELECTRIC_PIANO = Timbre(1, 1.3, 0.8, 7, 0.16, 0.12, ring=2.2, release=0.07, pan=0.32)
VIBRAPHONE = Timbre(2, 0.45, 0.5, 4, 0.22, 0.5, ring=3.0, release=0.11, pan=0.68)
TIMBRES = (ELECTRIC_PIANO, VIBRAPHONE)  # of player and partner, by channel


class Voices:
    """A bank of voices, each an entry of the same arrays. `rate` is in Hz."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.pitch = np.zeros(N_SLOTS, np.int16)
        self.channel = np.zeros(N_SLOTS, np.int16)
        self.held = np.zeros(N_SLOTS, np.bool_)  # by key or pedal
        self.damped = np.zeros(N_SLOTS, np.bool_)
        self._attack = np.zeros(N_SLOTS)  # 0 to 1
        self._envelopes = np.zeros((3, N_SLOTS))
        self._decays = np.zeros((3, N_SLOTS))  # 1/s
        self._release = np.zeros(N_SLOTS)  # 1/s
        self._cycles = np.zeros((3, N_SLOTS))  # of carrier, modulator and strike, since the onset
        self._steps = np.zeros((3, N_SLOTS))  # cycles per frame
        self._pan = np.zeros((2, N_SLOTS), np.float32)

    @property
    def sounding(self) -> Mask:
        """Which slots sound, bool [N_SLOTS]."""
        sounding: Mask = self._envelopes[LEVEL] > 0
        return sounding

    def strike(self, channel: int, pitch: int, velocity: int) -> None:
        """Begin a note; the same note still sounding makes room for it, and so does the quietest of too many."""
        self.damp((self.channel == channel) & (self.pitch == pitch))
        lasting = self.sounding & ~self.damped
        if lasting.sum() >= POLYPHONY:
            self.damp(np.arange(N_SLOTS) == np.where(lasting, self._envelopes[LEVEL], np.inf).argmin())
        slot = int(self._envelopes[LEVEL].argmin())  # a free one is at 0
        self.pitch[slot], self.channel[slot] = pitch, channel
        self.held[slot], self.damped[slot] = True, False
        self._set_tone(slot, TIMBRES[channel % len(TIMBRES)], velocity / 127)

    def release(self, which: Mask) -> None:
        """Let the voices of `which`, bool [N_SLOTS], fade as after note-off."""
        self.held[which] = False
        self._decays[LEVEL] = np.where(which, np.maximum(self._decays[LEVEL], self._release), self._decays[LEVEL])

    def damp(self, which: Mask) -> None:
        """Let the voices of `which`, bool [N_SLOTS], fade as fast as can be without a click."""
        self.held[which], self.damped[which] = False, True
        self._decays[LEVEL, which] = DAMPED

    def render(self, n_frames: int) -> Audio:
        """The next `n_frames` <= CHUNK frames of all voices together, [2, n_frames]."""
        on = np.flatnonzero(self.sounding)
        level, index, strike = self._ramps(on, n_frames)
        cycles, steps = self._cycles[:, on], self._steps[:, on]
        start = (2 * np.pi * (cycles % 1)).astype(np.float32)
        angle = start[..., None] + (2 * np.pi * steps).astype(np.float32)[..., None] * np.arange(n_frames, dtype="f4")
        self._cycles[:, on] = cycles + steps * n_frames
        tone = np.sin(angle[0] + index * np.sin(angle[1])) + strike * np.sin(angle[2])
        sound: Audio = self._pan[:, on] @ (level * tone)
        return sound

    def _ramps(self, on: NDArray[np.intp], n_frames: int) -> Audio:
        """Envelopes of the voices `on` over the next frames, [3, len(on), n_frames]; the voices move on."""
        before, attack = self._envelopes[:, on], self._attack[on]
        after = before * np.exp(-self._decays[:, on] * (n_frames / self.rate))
        self._attack[on] = np.minimum(attack + n_frames / (ATTACK * self.rate), 1)
        self._envelopes[:, on] = np.where(after > SILENT, after, 0)
        before[LEVEL] *= attack
        after[LEVEL] = self._envelopes[LEVEL, on] * self._attack[on]
        slope = (after - before) / n_frames
        return (before[..., None] + slope[..., None] * np.arange(n_frames)).astype(np.float32)

    def _set_tone(self, slot: int, timbre: Timbre, force: float) -> None:
        """Set the slot to the onset of a note of `timbre` at `force`, the velocity in 0..1."""
        frequency = 440 * 2 ** ((int(self.pitch[slot]) - 69) / 12)
        height = 440 / frequency
        # Partials above 10 kHz would pierce, and beyond half the sampling rate fold back.
        strike = timbre.strike * force * min(1, max(0, 2 - frequency * timbre.strike_ratio / 5000))
        index = timbre.index * (0.15 + 0.85 * force) * min(1.5, height**0.5)
        self._envelopes[:, slot] = 0.22 * force**1.5 * min(1.4, height**0.2), index, strike
        self._decays[LEVEL, slot] = 1 / (timbre.ring * min(2.5, height**0.6))
        self._decays[INDEX, slot] = 1 / timbre.index_time
        self._decays[STRIKE, slot] = 1 / timbre.strike_time
        self._release[slot] = 1 / timbre.release
        self._attack[slot] = 0
        self._cycles[:, slot] = 0
        self._steps[:, slot] = np.array((1, timbre.ratio, timbre.strike_ratio)) * frequency / self.rate
        self._pan[:, slot] = np.cos(timbre.pan * np.pi / 2), np.sin(timbre.pan * np.pi / 2)

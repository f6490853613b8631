"""The built-in instrument: MIDI messages in, sound out. Pure: no device, no thread, no clock."""

import numpy as np

from improv.live.synth.effects import Limiter, Room
from improv.live.synth.midi import CHANNELS, CONTROL, NOTE_OFF, NOTE_ON, NOTES_OFF, SOUND_OFF, SUSTAIN
from improv.live.synth.voices import CHUNK, Audio, Mask, Voices


class Synth:
    """A polyphonic struck instrument, another timbre for odd channels (the partner) than for even ones (the player).

    Args:
        rate: sampling rate in Hz.
    """

    def __init__(self, rate: float = 48000.0) -> None:
        self.voices = Voices(rate)
        self._room = Room(rate)
        self._limiter = Limiter(rate)
        self._keys = np.zeros((CHANNELS, 128), np.bool_)  # which are down
        self._pedals = np.zeros(CHANNELS, np.bool_)

    @property
    def silent(self) -> bool:
        """Whether nothing sounds, not even an echo."""
        return self._room.silent and not self.voices.sounding.any()

    def send(self, message: bytes) -> None:
        """Play one whole channel message from the next rendered frame on; those without a meaning here do nothing."""
        kind, channel, number, value = message[0] & 0xF0, message[0] & 0x0F, message[1], message[-1]
        if kind == NOTE_ON and value > 0:
            self._keys[channel, number] = True
            self.voices.strike(channel, number, value)
        elif kind in (NOTE_ON, NOTE_OFF):
            self._keys[channel, number] = False
            self._release_untouched()
        elif kind == CONTROL:
            self._control(channel, number, value)

    def render(self, n_frames: int) -> Audio:
        """The next `n_frames` frames, float32 [n_frames, 2] within -1..1; exactly zero while silent."""
        sound = np.zeros((n_frames, 2), np.float32)
        for start in range(0, n_frames, CHUNK):
            if self.silent:
                break
            block = self.voices.render(min(CHUNK, n_frames - start))
            sound[start : start + CHUNK] = self._limiter.render(self._room.render(block)).T
        return sound

    def _control(self, channel: int, controller: int, value: int) -> None:
        if controller == SUSTAIN:
            self._pedals[channel] = value >= 64
        elif controller in (SOUND_OFF, NOTES_OFF):
            self._pedals[channel] = False
            self._keys[channel] = False
        if controller == SOUND_OFF:
            self.voices.damp(self.voices.channel == channel)
        self._release_untouched()

    def _release_untouched(self) -> None:
        """Release what neither key nor pedal holds any more."""
        voices = self.voices
        touched: Mask = self._keys[voices.channel, voices.pitch] | self._pedals[voices.channel]
        voices.release(voices.held & ~touched)

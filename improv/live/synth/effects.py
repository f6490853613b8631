"""What the voices of the built-in instrument pass through: a small room and a limiter. Blocks are [2, n] float32."""

import numpy as np

from improv.live.synth.voices import Audio


class Room:
    """Reverberation by a feedback delay network (Jot 1991): four delay lines, mixed by a Householder matrix.

    Args:
        rate: in Hz.
        decay: seconds until an echo has lost 60 dB.
        level: of the echoes beside the direct sound.
    """

    DELAYS = (0.0297, 0.0371, 0.0411, 0.0437)  # seconds
    SILENT = 1e-6

    def __init__(self, rate: float, decay: float = 0.8, level: float = 0.15) -> None:
        self._delays = np.array([round(delay * rate) for delay in self.DELAYS])
        self._feedback = (10 ** (-3 * self._delays / rate / decay)).astype(np.float32)[:, None]
        self._lines = np.zeros((4, int(self._delays.max()) + 1), np.float32)
        self._level = level
        self._now = 0
        self._quiet_frames = self._lines.shape[1]

    @property
    def silent(self) -> bool:
        """Whether the last echo has faded."""
        return self._quiet_frames >= self._lines.shape[1]

    def render(self, dry: Audio) -> Audio:
        """`dry` with its echoes; a block is shorter than the shortest delay."""
        n, length = dry.shape[1], self._lines.shape[1]
        when = self._now - self._delays[:, None] + np.arange(-1, n)
        past = np.take_along_axis(self._lines, when % length, axis=1)
        echoes = 0.7 * past[:, 1:] + 0.3 * past[:, :-1]  # walls swallow the high partials
        loudest = max(np.abs(echoes).max(), np.abs(dry).max())
        self._quiet_frames = self._quiet_frames + n if loudest < self.SILENT else 0
        mixed = self._feedback * (echoes - 0.5 * echoes.sum(axis=0))
        self._lines[:, (self._now + np.arange(n)) % length] = mixed + np.concatenate([dry, dry])
        self._now = (self._now + n) % length
        return (dry + self._level * (echoes[:2] + echoes[2:])).astype(np.float32, copy=False)


class Limiter:
    """Turns loud passages down before they clip, and lets go slowly; what still exceeds it is rounded off."""

    CEILING = 0.7
    LET_GO = 0.4  # seconds

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._gain = 1.0

    def render(self, block: Audio) -> Audio:
        """`block` within -1..1."""
        n = block.shape[1]
        target = min(1.0, self.CEILING / max(float(np.abs(block).max()), 1e-9))
        easing = 1.0 if target < self._gain else 1 - np.exp(-n / (self._rate * self.LET_GO))
        gain = self._gain + (target - self._gain) * easing
        ramp = np.linspace(self._gain, gain, n, dtype=np.float32)
        self._gain = gain
        rounded: Audio = np.tanh(block * ramp)
        return rounded

"""What the loop asks of the thinker, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from improv.knobs import Controls
from improv.live.modes import Turn
from improv.music.key import Key
from improv.music.pianoroll import Frame
from improv.sampling.calibration import Choice


@dataclass(frozen=True)
class Load:
    """Load the checkpoint `path`; the partner's choices follow from `seed`.

    `device` says who may run the chain, one of improv.sampling.devices.DEVICES, and `k` for how many steps.
    """

    path: str
    seed: int
    k: int
    device: str = "auto"


@dataclass(frozen=True)
class Quicken:
    """All that the model needs which `load` has loaded is compiled: let `choice` run its chain."""

    load: Load
    choice: Choice


@dataclass(frozen=True)
class Follow:
    """Play in `key` from now on, or follow what is heard where None."""

    key: Key | None


@dataclass(frozen=True)
class Think:
    """Hear the frames that are over (player, partner), then answer frame `number` of performance `performance`.

    `tick` is the moment at which the answer is played, and `struck` what the partner has struck in that frame already,
    if it has begun, [2, n_pitches].
    """

    performance: int
    number: int
    heard: list[tuple[Frame, Frame]]
    player: Frame
    turn: Turn
    controls: Controls
    tick: float
    struck: Frame | None = None


@dataclass(frozen=True)
class Begin:
    """Forget what was played: the next frame is `number`, a bar has `bar_beats` beats."""

    number: int
    bar_beats: float


@dataclass(frozen=True)
class Loaded:
    """The model from `path` is ready: its grid and its pitches, who runs its chain, and, in one line,
    why that was `chosen`."""

    path: str
    grid: float
    low: int
    n_pitches: int
    sampler: str
    chosen: str

    def has_frames_of(self, other: Loaded) -> bool:
        """Whether its frames are like those of `other`: as long, and of the same pitches."""
        return (self.grid, self.low, self.n_pitches) == (other.grid, other.low, other.n_pitches)


@dataclass(frozen=True)
class Sampler:
    """From now on `sampler` runs the chain; in one line, why that was `chosen`."""

    sampler: str
    chosen: str


@dataclass(frozen=True)
class Answer:
    """The partner's frame, how long it took, the key it was played in, and the Gibbs steps it came from."""

    performance: int
    number: int
    frame: Frame
    seconds: float
    key: str
    steps: int


@dataclass(frozen=True)
class Failed:
    """A job could not be done; `text` says why in one line. `job` is what was asked."""

    text: str
    job: Any


Job = Load | Quicken | Follow | Begin | Think
Result = Loaded | Sampler | Answer | Failed

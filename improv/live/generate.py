"""Playing without a clock: the improviser continues a prompt, or starts from nothing, as fast as it can."""

from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np

from improv.knobs import Controls
from improv.live.improviser import Improviser
from improv.live.modes import Turn
from improv.music.pianoroll import Frame, PianoRoll, silence

ALONE = Turn(partner_plays=True, clamped=False, whose="partner")


def continuation(improviser: Improviser, controls: Controls, prompt: PianoRoll | None = None) -> Iterator[Frame]:
    """Frames [2, n_pitches] without end, after the improviser has heard `prompt`."""
    nobody = silence(improviser.config.n_pitches)
    for frame in prompt.frames if prompt is not None else ():
        improviser.hear(frame)
    while True:
        frame = improviser.answer(nobody, ALONE, controls)
        improviser.hear(nobody, frame)
        yield frame


def generate(
    improviser: Improviser,
    frames: int,
    controls: Controls,
    prompt: PianoRoll | None = None,
    on_frame: Callable[[], object] = lambda: None,
) -> PianoRoll:
    """`frames` new frames as a piano-roll; the prompt is not part of it. `on_frame` is called after each."""
    played = []
    for frame in islice(continuation(improviser, controls, prompt), frames):
        played.append(frame)
        on_frame()
    return PianoRoll(np.stack(played), improviser.config.grid, improviser.config.low)

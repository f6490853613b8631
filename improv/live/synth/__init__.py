"""The instrument behind the output `synth`: improv is heard without a DAW. It sounds in a process of its own.

This side stays light: neither numpy nor an audio library is imported here.
"""

from collections.abc import Callable

from improv.errors import ImprovError
from improv.live.messages import Notice, Problem
from improv.live.synth import builtin_program, fluidsynth
from improv.live.synth.output import SynthOutput

__all__ = ["SynthOutput", "open_synth"]


def open_synth(tell: Callable[[Problem | Notice], object]) -> SynthOutput:
    """The best instrument that can sound here: FluidSynth with an installed soundfont, else the built-in one.

    Takes about a second. Channel 0 (the player) and channel 1 (the partner) differ in timbre and place.

    Args:
        tell: told when the instrument falls silent later and when it sounds again; called from a thread of the output.

    Raises:
        ImprovError: no sound can be played here.
    """
    for program in fluidsynth.programs():
        try:
            return SynthOutput(program, tell)
        except ImprovError:
            continue  # the next one may find its sound system
    return SynthOutput(builtin_program.PROGRAM, tell)

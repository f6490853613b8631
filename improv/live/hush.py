"""The last service to an engine that was killed: what it left sounding is ended."""

import contextlib
import time
from collections.abc import Iterable

from improv.errors import ImprovError
from improv.live.outputs import SYNTH, Output, note_message, silence_output

PATIENCE = 3.0  # seconds for all of them: the dead engine may still keep its MIDI system busy


def end_notes(outputs: Iterable[str]) -> None:
    """Ends whatever a dead engine's partner left sounding at `outputs`; returns when that is done.

    Its instrument has gone with it, and its notes with that. So has its own port: those that were connected to it must
    be among the outputs.
    """
    from improv.live.ports import VIRTUAL, Patchbay

    names = set(outputs) - {SYNTH, VIRTUAL}
    if not names:
        return
    end = time.monotonic() + PATIENCE
    waiting: list[Output] = []
    with Patchbay() as patchbay:
        while (names or waiting) and time.monotonic() < end:
            if names:
                with contextlib.suppress(ImprovError):
                    waiting.append(patchbay.open_output(names.pop()))
            else:
                time.sleep(0.05)
            for output in [output for output in waiting if output.connected]:
                _end_all(output)
                waiting.remove(output)


def _end_all(output: Output) -> None:
    for pitch in range(128):  # its very last notes may not have been reported
        output.send(note_message(0, pitch, 0))
    silence_output(output)

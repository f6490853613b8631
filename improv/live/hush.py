"""The last service to an engine that was killed: what it left sounding is ended."""

import contextlib
import time
from collections.abc import Iterable

from improv.errors import ImprovError
from improv.live.outputs import SYNTH, Output, note_message, silence_output

PATIENCE = 3.0  # seconds: the dead engine may still keep its MIDI system busy


def end_notes(outputs: Iterable[str]) -> None:
    """Ends whatever a dead engine's partner left sounding at `outputs`; returns when that is done.

    Its own ports and its instrument have gone with it, and their notes with them.
    """
    from improv.live.ports import VIRTUAL, Patchbay

    names = set(outputs) - {SYNTH, VIRTUAL}
    if not names:
        return
    with Patchbay() as patchbay:
        for name in names:
            with contextlib.suppress(ImprovError):
                output = patchbay.open_output(name)
                _wait_for(output)
                for pitch in range(128):  # its very last notes may not have been reported
                    output.send(note_message(0, pitch, 0))
                silence_output(output)


def _wait_for(output: Output) -> None:
    end = time.monotonic() + PATIENCE
    while not output.connected and time.monotonic() < end:
        time.sleep(0.05)

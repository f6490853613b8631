"""The last service to an engine that was killed: what it left sounding is ended.

That is done by a process of its own, `python -m improv.live.hush PORT...`, so that neither a MIDI system that stalls
nor its library's threads stay with who outlives the engine.
"""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterable

from improv.errors import ImprovError
from improv.live.outputs import SYNTH, VIRTUAL, Output, note_message, silence_output

PATIENCE = 3.0  # seconds for all of them: the dead engine may still keep its MIDI system busy
START_PATIENCE = 10.0


def end_notes(outputs: Iterable[str]) -> None:
    """Has ended whatever a dead engine's partner left sounding at `outputs`; returns when that is done, or in vain.

    Its instrument has gone with it, and its notes with that. So has its own port: those that were connected to it must
    be among the outputs.
    """
    names = set(outputs) - {SYNTH, VIRTUAL}
    if not names:
        return
    command = [sys.executable, "-m", "improv.live.hush", *names]
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(command, stdin=subprocess.DEVNULL, timeout=START_PATIENCE + PATIENCE, check=False)


def main(names: set[str]) -> None:
    """Ends whatever sounds at the ports of these names."""
    from improv.live.ports import Patchbay

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


if __name__ == "__main__":
    try:
        main(set(sys.argv[1:]))
    finally:
        os._exit(0)

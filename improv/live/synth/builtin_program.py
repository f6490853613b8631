"""How the built-in instrument is started."""

import sys

from improv.live.synth.program import Program

PROGRAM = Program(
    label="the built-in instrument",
    command=[sys.executable, "-m", "improv.live.synth.builtin"],
    # The arrays are small: a second thread would only disturb, above all the engine.
    environment={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
)

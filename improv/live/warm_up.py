"""Compiles what a model needs to play, into numba's cache: `python -m improv.live.warm_up M.pt`.

The engine has it done in a process of its own, beside which it plays: compiling would keep the interpreter's lock.
"""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path


def in_another_process(model: str) -> None:
    """Does it for the checkpoint at the path `model`, and waits: half a minute, or a second where nothing is missing.

    Raises:
        subprocess.CalledProcessError: it could not be done.
    """
    quiet = subprocess.DEVNULL
    command = [sys.executable, "-m", "improv.live.warm_up", model]
    subprocess.run(command, stdin=quiet, stdout=quiet, stderr=quiet, check=True)


def main() -> None:
    """Compiles, politely."""
    import torch

    from improv.live.improviser import Improviser
    from improv.model import checkpoint

    with suppress(AttributeError, OSError):
        os.nice(10)
    torch.set_num_threads(1)
    model, _ = checkpoint.load(Path(sys.argv[1]))
    Improviser(model, 0).warm_up()


if __name__ == "__main__":
    main()

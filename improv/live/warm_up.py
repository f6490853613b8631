"""Compiles what a model needs to play, into numba's cache: `python -m improv.live.warm_up M.pt`.

The engine has it done in a process of its own, beside which it plays: compiling would keep the interpreter's lock.
That process ends where its standard input does, and so with the engine, however that ends.
"""

import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from improv.errors import ImprovError


def in_another_process(model: str) -> None:
    """Does it for the checkpoint at the path `model`, and waits: half a minute, or a second where nothing is missing.

    Raises:
        ImprovError: it could not be done; the last line that process said tells why.
    """
    command = [sys.executable, "-m", "improv.live.warm_up", model]
    pipe, quiet = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(command, stdin=pipe, stdout=quiet, stderr=pipe, text=True, errors="replace") as process:
        assert process.stderr is not None
        said = process.stderr.read().strip().splitlines()
        status = process.wait()  # before its standard input is closed
    if status:
        raise ImprovError(said[-1] if said else f"the compiling process ended with status {status}")


def main() -> None:
    """Compiles, politely."""
    threading.Thread(target=_end_with_input, name="parent", daemon=True).start()
    import torch

    from improv.live.improviser import Improviser
    from improv.model import checkpoint

    with suppress(AttributeError, OSError):
        os.nice(10)
    torch.set_num_threads(1)
    try:
        model, _ = checkpoint.load(Path(sys.argv[1]))
    except ImprovError as error:
        sys.exit(str(error))
    Improviser(model, 0).warm_up()


def _end_with_input() -> None:
    """Ends this process as soon as nobody holds the other end of its standard input."""
    with suppress(OSError):
        while os.read(0, 1024):  # not sys.stdin, whose lock would be held when the interpreter shuts down
            pass
    os._exit(1)


if __name__ == "__main__":
    main()

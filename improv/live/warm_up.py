"""Compiles what the model named by the first argument needs to play, into numba's cache: `thinker` runs this aside."""

import os
import sys
from contextlib import suppress
from pathlib import Path

import torch

from improv.live.improviser import Improviser
from improv.model import checkpoint


def main() -> None:
    """Compiles, politely."""
    with suppress(AttributeError, OSError):
        os.nice(10)
    torch.set_num_threads(1)
    model, _ = checkpoint.load(Path(sys.argv[1]))
    Improviser(model, 0).warm_up()


if __name__ == "__main__":
    main()

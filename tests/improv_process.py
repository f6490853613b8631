"""improv as a person or a script starts it: in a process of its own."""

import subprocess
import sys
from collections.abc import Sequence

TINY_TRAINING = (
    *("--estimator", "rbm", "--tied", "0", "--hidden", "8", "--recurrent", "6"),
    *("--cd-steps", "1", "--length", "32", "--batch", "4", "--polish-epochs", "0"),
)
LITTLE_EFFORT = ("--chains", "4", "--betas", "10", "--free-frames", "16")


def start(*arguments: object) -> subprocess.Popen[str]:
    """Starts `improv ARGUMENTS`; its output is read from pipes."""
    command = [sys.executable, "-m", "improv", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs `improv ARGUMENTS` to its end."""
    command: Sequence[str] = [sys.executable, "-m", "improv", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

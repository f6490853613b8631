"""Other processes, as /proc shows them."""

import contextlib
from pathlib import Path


def children(pid: int) -> list[int]:
    """The processes that the process `pid` has started, those that are still there."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(child) for child in task.read_text().split()]
    return found


def alive(pid: int) -> bool:
    """Whether the process runs, rather than being gone or only waiting to be counted."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def runs(pid: int, module: str) -> bool:
    """Whether the process was started as `python -m MODULE`."""
    try:
        return module.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False

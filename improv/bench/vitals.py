"""What a process holds, where Linux tells."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from improv.bench.result import Result, at_most
from improv.errors import ImprovError

FLAT_MB = 10.0  # so much more or less of a process's memory is the allocator's doing, not growth


@dataclass(frozen=True)
class Vitals:
    """Memory in use in MB, and open files and threads."""

    rss: float
    files: int
    threads: int

    @classmethod
    def of(cls, pid: int | str = "self") -> Vitals:
        """Those of a process.

        Raises:
            ImprovError: it is gone, or the system is not Linux.
        """
        folder = Path("/proc", str(pid))
        try:
            pages = int((folder / "statm").read_text().split()[1])
            rss = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
            return cls(round(rss, 1), len(os.listdir(folder / "fd")), len(os.listdir(folder / "task")))
        except OSError as error:
            raise ImprovError(f"what process {pid} holds cannot be read: it has ended, or this is not Linux") from error


def growth(name: str, early: Vitals, late: Vitals) -> Iterator[Result]:
    """By how much a process holds more in a late state than in an early one; no growth is wanted."""
    yield Result(f"{name}, memory grown", round(late.rss - early.rss, 1), "MB", bar=at_most(FLAT_MB))
    yield Result(f"{name}, files more open", late.files - early.files, "files", bar=at_most(0))
    yield Result(f"{name}, threads more", late.threads - early.threads, "threads", bar=at_most(0))

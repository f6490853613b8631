"""What a process holds, where Linux tells."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Vitals:
    """Memory in use in MB, and open files and threads."""

    rss: float
    files: int
    threads: int

    @classmethod
    def of(cls, pid: int | str = "self") -> "Vitals":
        """Those of a process."""
        folder = Path("/proc", str(pid))
        pages = int((folder / "statm").read_text().split()[1])
        rss = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
        return cls(round(rss, 1), len(os.listdir(folder / "fd")), len(os.listdir(folder / "task")))

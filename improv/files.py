"""Writing files so that nobody ever finds half a one, and two do not write the same."""

import os
import sys
from contextlib import suppress
from pathlib import Path

from improv.errors import ImprovError

if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        os.lseek(file, 2**30, os.SEEK_SET)  # a stretch of a file is locked there, so one that nobody reads
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def replace_file(path: Path, content: bytes) -> None:
    """Write `content` to `path`: whole, or not at all. Folders that are missing are made.

    Raises:
        ImprovError: it cannot be written.
    """
    try:
        path = Path(os.path.realpath(path))
        if path.exists() and not path.is_file():
            path.write_bytes(content)  # a device such as /dev/stdout is written to, never replaced
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with part.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
            sync_folder(path.parent)
        finally:
            with suppress(OSError):
                part.unlink()
    except OSError as error:
        raise ImprovError(f"cannot write {path}: {error.strerror or error}") from error


def sync_folder(folder: Path) -> None:
    """What is in `folder` keeps its names through a power cut, as far as the system can promise it."""
    if sys.platform == "win32":  # which opens no folder
        return
    with suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def lock_file(file: int) -> bool | None:
    """Whether the open file is now ours alone, until it is closed or this process ends, however it ends.

    None where the file system knows no locks, and nobody can say.
    """
    try:
        _lock(file)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return None
    return True

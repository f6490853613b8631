"""Writing files so that nobody ever finds half a one."""

import os
from contextlib import suppress
from pathlib import Path

from improv.errors import ImprovError


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
        finally:
            with suppress(OSError):
                part.unlink()
    except OSError as error:
        raise ImprovError(f"cannot write {path}: {error.strerror or error}") from error

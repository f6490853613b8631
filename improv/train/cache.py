"""A cache of piano-rolls on disk: every music file is read once, by all processors, and never loaded whole again.

It is a folder of shards. What is in a music file counts as known while its path, its size, the time it was last written
and the way it was read are those of a shard. Whatever is damaged is read anew.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

from improv.errors import ImprovError
from improv.train.parallel import cpus, each
from improv.train.shard import PART, SUFFIX, Found, Pieces, Shard, ShardWriter, Stamp, Unreadable

Read = Callable[[Path], Pieces]
"""Reads a music file, or raises ImprovError. Other processes must be able to import it."""
OnFile = Callable[[int, int], None]

FEW_FILES, FEW_BYTES = 32, 4 * 1024 * 1024
"""Below both, reading takes less time than starting processes, and leaves nothing behind."""
UNUSED_DAYS = 30
"""So long a shard is kept that nobody asks for."""


def default_folder() -> Path:
    """Where the user's caches lie."""
    from platformdirs import user_cache_path

    return user_cache_path("improv") / "rolls"


def read_files(
    files: Sequence[Path],
    read: Read,
    how: str,
    folder: Path | None,
    on_file: OnFile = lambda _done, _all: None,
    processes: int | None = None,
) -> list[Found]:
    """What is in every one of `files`, in their order.

    Args:
        how: names what `read` does, its version included: what was read in another way is read anew.
        folder: where the cache is; None reads everything into memory.
        on_file: told after each file how many of how many are known.
        processes: number of processes that read; all processors by default, this one alone where only few files are
            to be read.

    Raises:
        ImprovError: the cache cannot be written. What was read before that is kept, as it is on Ctrl+C.
    """
    if folder is None or (len(files) < FEW_FILES and _size(files) < FEW_BYTES):
        known: list[Found] = []
        for path in files:
            known.append(attempt(read, path))
            on_file(len(known), len(files))
        return known
    return Cache(folder, how).read(files, read, on_file, processes)


def attempt(read: Read, path: Path) -> Found:
    """What is in the file `path`, or why it cannot be read."""
    try:
        return read(path)
    except ImprovError as error:
        passing = isinstance(error.__cause__, OSError | MemoryError)
        return Unreadable(str(error).removeprefix(f"{path}: "), passing)


class Cache:
    """The shards of a folder that hold files read in the way `how`."""

    def __init__(self, folder: Path, how: str) -> None:
        self.folder, self._how = folder, how
        self._name = hashlib.sha256(how.encode()).hexdigest()[:16]

    def read(self, files: Sequence[Path], read: Read, on_file: OnFile, processes: int | None) -> list[Found]:
        """See read_files."""
        self._forget_unused()
        stamps = {path: Stamp.of(path) for path in files}
        known = self._look_up(stamps.values())
        missing = {path: stamp for path, stamp in stamps.items() if stamp not in known}
        done = len(files) - len(missing)
        on_file(done, len(files))
        passing: dict[Path, Found] = {}
        if missing:
            passing = self._read_missing(missing, read, processes, lambda more: on_file(done + more, len(files)))
            known |= self._look_up(stamp for path, stamp in missing.items() if path not in passing)
        try:
            return [passing[path] if path in passing else known[stamp] for path, stamp in stamps.items()]
        except KeyError as error:
            raise ImprovError(f"the cache of piano-rolls in {self.folder} is not as it was written: "
                              "give another place with --cache") from error  # fmt: skip

    def _read_missing(
        self, missing: Mapping[Path, Stamp | None], read: Read, processes: int | None, on_read: Callable[[int], None]
    ) -> dict[Path, Found]:
        """Writes a shard of what is in these files; returns what the cache is not to remember."""
        passing: dict[Path, Found] = {}
        workers = cpus() if processes is None else processes
        if len(missing) < FEW_FILES:
            workers = 1
        shard, results = ShardWriter(self.folder, self._name, self._how), _attempts(read, missing, workers)
        with shard, closing(results):
            for number, (path, found) in enumerate(results, 1):
                stamp = missing[path]
                if stamp is None or (isinstance(found, Unreadable) and found.passing):
                    passing[path] = found
                else:
                    shard.add(stamp, found)
                on_read(number)
        return passing

    def _look_up(self, stamps: Iterable[Stamp | None]) -> dict[Stamp | None, Found]:
        """What is known of these files. Shards that are damaged or outdated are deleted."""
        wanted = set(stamps)
        known: dict[Stamp | None, Found] = {}
        for path in sorted(self.folder.glob(f"{self._name}-*{SUFFIX}")):
            try:
                shard = Shard(path, self._how)
                here = shard.stamps & wanted
                for stamp in here - known.keys():
                    with suppress(ValueError, TypeError):
                        known[stamp] = shard[stamp]
            except (ValueError, TypeError, KeyError):
                _delete(path)
            except OSError:
                continue
            else:
                if here:
                    with suppress(OSError):
                        os.utime(path)
                elif _is_outdated(shard):
                    _delete(path)
        return known

    def _forget_unused(self) -> None:
        oldest = time.time() - UNUSED_DAYS * 24 * 3600
        ours = "[0-9a-f]" * 16 + "-"  # a folder of the user's may hold other things
        for path in [*self.folder.glob(f"{ours}*{SUFFIX}"), *self.folder.glob(f".{ours}*{PART}")]:
            with suppress(OSError):
                if path.stat().st_mtime < oldest:
                    path.unlink()


def _attempts(read: Read, files: Iterable[Path], processes: int) -> Generator[tuple[Path, Found], None, None]:
    work = partial(attempt, read)
    if processes > 1:
        yield from each(work, files, processes)
    else:
        yield from ((path, work(path)) for path in files)


def _is_outdated(shard: Shard) -> bool:
    """Whether files of it have changed and none is as it was; files that are gone, as with a disk, may come back."""
    changed = False
    for stamp in shard.stamps:
        now = Stamp.of(stamp.path)
        if now == stamp:
            return False
        changed |= now is not None
    return changed


def _delete(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


def _size(files: Iterable[Path]) -> int:
    return sum(stamp.size for path in files if (stamp := Stamp.of(path)))

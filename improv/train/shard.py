"""Shards: files that hold the piano-rolls of many music files, to be mapped into memory instead of loaded.

A shard is all frames end to end (uint8), an index (JSON) that says which music file holds which of them, and a footer
by which a damaged or foreign file is told from a whole one. It is written once and never changed.
"""

from __future__ import annotations

import json
import os
import secrets
import struct
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from improv.errors import ImprovError
from improv.music.pianoroll import PianoRoll

Pieces = dict[str, list[PianoRoll]]
"""The pieces of a music file, by split."""

SUFFIX, PART = ".rolls", ".part"
_FOOTER = struct.Struct("<QQI8s")  # bytes of frames, bytes of index, checksum of the index, what the file is
_MAGIC = b"improv\x01\n"


@dataclass(frozen=True)
class Unreadable:
    """Why a music file was left out; `passing` where the next attempt may succeed, as where access was denied."""

    reason: str
    passing: bool = False


Found = Pieces | Unreadable
"""What is in a music file."""


@dataclass(frozen=True)
class Stamp:
    """A music file as it was at a moment: a file that has changed has another.

    Attributes:
        path: absolute.
        size: in bytes.
        mtime: when it was last written, in ns.
    """

    path: str
    size: int
    mtime: int

    @classmethod
    def of(cls, path: Path | str) -> Stamp | None:
        """The file's stamp now; None where that cannot be told."""
        try:
            status = os.stat(path)
        except OSError:
            return None
        return cls(os.path.abspath(path), status.st_size, status.st_mtime_ns)


class ShardWriter:
    """Writes a shard in `folder`. It appears there when the block is left, by an exception too: what was added, stays.

    Raises:
        ImprovError: it cannot be written.
    """

    def __init__(self, folder: Path, name: str, how: str) -> None:
        self.folder, self._name, self._how = folder, name, how
        self._files: list[dict[str, Any]] = []
        self._end = 0
        self._random = secrets.token_hex(8)
        self._part = folder / f".{name}-{self._random}{PART}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self._part.open("xb")
        except OSError as error:
            raise self._failed(error) from error

    def add(self, stamp: Stamp, found: Found) -> None:
        """Adds what was read from the music file of that stamp."""
        start, checksum, pieces = self._end, 0, []
        entry: dict[str, Any] = {"path": stamp.path, "size": stamp.size, "mtime": stamp.mtime}
        if isinstance(found, Unreadable):
            entry["reason"] = found.reason
        else:
            for split, roll in ((split, roll) for split, rolls in found.items() for roll in rolls):
                frames = np.ascontiguousarray(roll.frames).data.cast("B") if len(roll) else b""
                self._write(frames)
                checksum = zlib.crc32(frames, checksum)
                pieces.append([split, len(roll), roll.n_pitches, roll.grid, roll.low, roll.bar_beats, roll.downbeat])
                start += len(frames)
            entry |= {"start": self._end, "pieces": pieces, "checksum": checksum}
        self._files.append(entry)
        self._end = start

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(self, *_error: object) -> None:
        try:
            if self._files:
                self._finish()
        except OSError as error:
            raise self._failed(error) from error
        finally:
            with suppress(OSError):
                self._file.close()
            with suppress(OSError):
                self._part.unlink()

    def _write(self, content: bytes | memoryview) -> None:
        try:
            self._file.write(content)
        except OSError as error:
            self._files.clear()  # a full disk is not to be left full
            raise self._failed(error) from error

    def _finish(self) -> None:
        index = json.dumps({"how": self._how, "files": self._files}).encode()
        self._file.seek(self._end)  # behind it lie the frames of a file whose adding was interrupted, if any
        self._file.truncate()
        self._file.write(index)
        self._file.write(_FOOTER.pack(self._end, len(index), zlib.crc32(index), _MAGIC))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._part.replace(self.folder / f"{self._name}-{self._random}{SUFFIX}")

    def _failed(self, error: OSError) -> ImprovError:
        return ImprovError(
            f"cannot write the cache of piano-rolls in {self.folder}: {error.strerror or error}; "
            "give another place with --cache"
        )


class Shard:
    """A shard, its frames mapped into memory: only what is touched is read, and may be forgotten again.

    Attributes:
        stamps: the music files in it.

    Raises:
        ValueError: it is damaged, or no shard of files read in the way `how`.
        OSError: it cannot be read.
    """

    def __init__(self, path: Path, how: str) -> None:
        index, size = _index(path)
        if index.get("how") != how:
            raise ValueError("made in another way")
        self._files = {_stamp(entry): entry for entry in index["files"]}
        self._frames: NDArray[np.uint8] = np.zeros(0, np.uint8)
        if size:
            self._frames = np.asarray(np.memmap(path, np.uint8, mode="r"))[:size]

    @property
    def stamps(self) -> set[Stamp]:
        """The music files in it."""
        return set(self._files)

    def __getitem__(self, stamp: Stamp) -> Found:
        """What is in a music file; the frames of its rolls are read-only.

        Raises:
            ValueError: these frames are damaged.
        """
        entry = self._files[stamp]
        if "reason" in entry:
            return Unreadable(str(entry["reason"]))
        found: Pieces = {}
        start = end = int(entry["start"])
        for split, length, n_pitches, grid, low, bar_beats, downbeat in entry["pieces"]:
            begin, end = end, end + length * 2 * n_pitches
            frames = self._frames[begin:end].reshape(length, 2, n_pitches)
            found.setdefault(str(split), []).append(PianoRoll(frames, grid, low, bar_beats, downbeat))
        if zlib.crc32(self._frames[start:end].data) != entry["checksum"]:
            raise ValueError("the frames are not those that were written")
        return found


def _index(path: Path) -> tuple[dict[str, Any], int]:
    """The index of a shard, and how many bytes of frames lie before it."""
    with path.open("rb") as file:
        length = file.seek(0, os.SEEK_END)
        if length < _FOOTER.size:
            raise ValueError("too short")
        file.seek(length - _FOOTER.size)
        frames, size, checksum, magic = _FOOTER.unpack(file.read(_FOOTER.size))
        if magic != _MAGIC or frames + size + _FOOTER.size != length:
            raise ValueError("not a shard, or not a whole one")
        file.seek(frames)
        content = file.read(size)
    if zlib.crc32(content) != checksum:
        raise ValueError("its index is damaged")
    return dict(json.loads(content)), frames


def _stamp(entry: dict[str, Any]) -> Stamp:
    return Stamp(entry["path"], entry["size"], entry["mtime"])

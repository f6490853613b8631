"""Piano-rolls: which pitches sound, and which are struck, in every frame of a grid of beats."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from improv.errors import ImprovError

Frame = NDArray[np.uint8]
"""One frame: uint8 [2, n_pitches]; row SOUNDING says what sounds, row STRUCK what begins there."""

SOUNDING, STRUCK = 0, 1
LOW, N_PITCHES = 21, 88
MAX_BYTES = 256 * 1024 * 1024
"""Unpacked size of an .npz at most: a small file can claim to hold more than any memory does."""


def silence(n_pitches: int = N_PITCHES) -> Frame:
    """A frame in which nothing sounds, uint8 [2, n_pitches]."""
    return np.zeros((2, n_pitches), np.uint8)


def rising_edges(sounding: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Onsets of a roll that does not tell held from repeated notes: where sound follows silence. [T, n] -> [T, n]."""
    previous = np.zeros_like(sounding)
    previous[1:] = sounding[:-1]
    return sounding & (1 - previous)


@dataclass(frozen=True, eq=False)
class PianoRoll:
    """A piece on a grid.

    Attributes:
        frames: uint8 [T, 2, n_pitches]; a struck pitch also sounds.
        grid: beats (quarter notes) per frame.
        low: the MIDI pitch of column 0.
        bar_beats: beats in a bar.
        downbeat: the first frame on a bar line; what comes before it is a pickup.
    """

    frames: NDArray[np.uint8]
    grid: float
    low: int = LOW
    bar_beats: float = 4.0
    downbeat: int = 0

    def __post_init__(self) -> None:
        if self.frames.ndim != 3 or self.frames.shape[1] != 2 or self.frames.dtype != np.uint8:
            raise ValueError(f"frames must be uint8 [T, 2, n_pitches], got {self.frames.dtype} {self.frames.shape}")

    @classmethod
    def from_sounding(cls, sounding: NDArray[np.uint8], grid: float, low: int = LOW) -> PianoRoll:
        """A roll from uint8 [T, n_pitches] alone: a pitch is struck where it begins to sound."""
        return cls(np.stack([sounding, rising_edges(sounding)], axis=1), grid, low)

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def n_pitches(self) -> int:
        """Number of pitches, the columns."""
        return int(self.frames.shape[2])

    @property
    def sounding(self) -> NDArray[np.uint8]:
        """What sounds, uint8 [T, n_pitches]."""
        return self.frames[:, SOUNDING]

    @property
    def struck(self) -> NDArray[np.uint8]:
        """What begins, uint8 [T, n_pitches]."""
        return self.frames[:, STRUCK]

    def transposed(self, semitones: int) -> PianoRoll:
        """The same piece `semitones` higher. Pitches that leave the range are folded back by octaves."""
        return replace(self, frames=transpose(self.frames, semitones))


def transpose(frames: NDArray[np.uint8], semitones: int) -> NDArray[np.uint8]:
    """Frames uint8 [..., n_pitches] moved by `semitones`; what leaves the range comes back an octave nearer.

    By none they are the very same array, not a copy of it.
    """
    if not semitones:
        return frames
    n = frames.shape[-1]
    moved = np.zeros_like(frames)
    for pitch in np.flatnonzero(frames.reshape(-1, n).any(axis=0)):
        target = int(pitch) + semitones
        while target >= n:
            target -= 12
        while target < 0:
            target += 12
        if target < n:
            moved[..., target] |= frames[..., pitch]
    return moved


def top_voice(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Nothing but the highest pitch that sounds in each of the frames [T, 2, n_pitches]."""
    n_pitches = frames.shape[-1]
    highest = n_pitches - 1 - frames[:, SOUNDING, ::-1].argmax(axis=1)
    only = np.zeros_like(frames)
    only[np.arange(len(frames)), :, highest] = 1
    return frames & only


def load_npz(path: Path) -> dict[str, list[PianoRoll]]:
    """The splits of an .npz file of piano-rolls, by name (`train`, `valid`, `test`), each a list of pieces.

    Expects `SPLIT_frames` (uint8 [T, 88], all pieces end to end), `SPLIT_lengths` (int32) and `frame_beats`.

    Raises:
        ImprovError: the file cannot be read or does not hold that; nothing in it is ever unpickled.
    """
    try:
        _check_size(path)
        with np.load(path, allow_pickle=False) as arrays:
            grid = float(arrays["frame_beats"]) if "frame_beats" in arrays else 1.0
            low = int(arrays["pitch_low"]) if "pitch_low" in arrays else LOW
            names = [name for name in ("train", "valid", "test") if f"{name}_frames" in arrays]
            for name in names:
                if f"{name}_lengths" not in arrays:
                    raise ImprovError(f"holds {name}_frames but no {name}_lengths")
            splits = {name: _pieces(arrays[f"{name}_frames"], arrays[f"{name}_lengths"], grid, low) for name in names}
    except ImprovError as error:
        raise ImprovError(f"{path}: {error}") from error
    except OSError as error:
        raise ImprovError(f"{path}: {error.strerror or error}") from error
    except Exception as error:  # a damaged archive raises whatever zipfile, numpy or the header parser meet first
        reason = "it is damaged, or holds something else than arrays of numbers"
        raise ImprovError(f"{path}: not a readable .npz of piano-rolls: {reason}") from error
    if not splits:
        raise ImprovError(f"{path}: holds no train_frames, valid_frames or test_frames")
    return splits


def _check_size(path: Path) -> None:
    if path.exists() and not path.is_file():  # to read a pipe or a device could wait for ever
        raise ImprovError("is not a regular file")
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > MAX_BYTES:
        raise ImprovError(f"larger than {MAX_BYTES // 1024**2} MiB when unpacked")


def _pieces(frames: NDArray[np.uint8], lengths: NDArray[np.int32], grid: float, low: int) -> list[PianoRoll]:
    if frames.ndim != 2 or lengths.ndim != 1 or (lengths < 0).any() or lengths.sum() != len(frames):
        raise ImprovError(f"frames {frames.shape} and lengths {lengths.shape} do not fit together")
    if not np.isfinite(frames).all():
        raise ImprovError("some of its frames are not finite numbers")
    if not (low >= 0 and 0 < frames.shape[1] <= 128 - low):
        raise ImprovError(f"pitches {low} to {low + frames.shape[1] - 1} are not MIDI pitches")
    if not 0 < grid <= 64:
        raise ImprovError(f"frame_beats must lie in 0..64, got {grid:g}")
    sounding = (frames != 0).astype(np.uint8)
    ends = np.cumsum(lengths)
    return [
        PianoRoll.from_sounding(sounding[end - n : end], grid, low) for n, end in zip(lengths, ends, strict=True) if n
    ]

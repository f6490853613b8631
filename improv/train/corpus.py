"""From files and folders to piano-rolls, ready to train on. What cannot be read is named and left out."""

from __future__ import annotations

import os
import random
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from improv import music
from improv.errors import ImprovError
from improv.music.key import key_of
from improv.music.meter import downbeat_of
from improv.music.midifile import SUFFIXES as MIDI_SUFFIXES
from improv.music.midifile import read_score
from improv.music.pianoroll import LOW, N_PITCHES, PianoRoll, load_npz
from improv.music.published import MUSICAL, published_roll
from improv.music.score import to_roll, to_roll_seconds
from improv.train.cache import read_files
from improv.train.shard import Pieces, Unreadable

SUFFIXES = (*MIDI_SUFFIXES, ".npz")
LOOSE = ""  # the split of pieces that name none


@dataclass(frozen=True)
class Reading:
    """How a file becomes frames.

    Attributes:
        grid: beats per frame.
        dt: seconds per frame instead, as the tutorial samples; None for the grid in beats.
        normalise: whether to move every piece to C major or C minor.
        rules: how notes become frames, one of RULES.
        low, n_pitches: the lowest pitch, as a MIDI number, and how many there are; others are folded in by octaves.
    """

    grid: float = 0.25
    dt: float | None = None
    normalise: bool = True
    rules: str = MUSICAL
    low: int = LOW
    n_pitches: int = N_PITCHES

    @property
    def frame_beats(self) -> float:
        """Beats per frame; frames of `dt` seconds count as beats at 120 BPM."""
        return self.grid if self.dt is None else self.dt * 2


@dataclass
class Corpus:
    """Pieces by split, the beats per frame they share, and the files left out with the reason."""

    grid: float
    splits: dict[str, list[PianoRoll]] = field(default_factory=dict)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    articulated: bool = True  # False where a source cannot tell held from repeated notes

    def frames(self, split: str) -> int:
        """Number of frames in `split`."""
        return sum(len(roll) for roll in self.splits.get(split, []))


def find_files(paths: Iterable[Path]) -> tuple[list[Path], list[tuple[str, str]]]:
    """All MIDI and .npz files among `paths` and below them, each once, in a fixed order.

    Links to folders are followed, and no folder is read twice.

    Returns:
        The files; and what cannot be looked into, with the reason.

    Raises:
        ImprovError: a path does not exist.
    """
    found: dict[Path, None] = {}
    skipped: list[tuple[str, str]] = []
    for path in paths:
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ImprovError(f"{path} does not exist") from error
        except OSError as error:
            skipped.append((str(path), error.strerror or str(error)))
            continue
        found.update(dict.fromkeys(sorted(_inside(path, skipped)) if path.is_dir() else [path]))
    return list(found), skipped


def _inside(folder: Path, skipped: list[tuple[str, str]]) -> Iterator[Path]:
    def on_error(error: OSError) -> None:
        skipped.append((str(Path(error.filename)), error.strerror or str(error)))

    seen: set[str] = set()
    for parent, folders, names in os.walk(folder, onerror=on_error, followlinks=True):
        if (real := os.path.realpath(parent)) in seen:
            folders.clear()  # a link leads back here
            continue
        seen.add(real)
        folders.sort()  # of two ways to a folder it is always the same one that counts
        yield from (path for name in names if _is_music(path := Path(parent, name)))


def _is_music(path: Path) -> bool:
    """Whether it calls itself music; what is none of it, as a link that leads nowhere, is left out by name."""
    return path.suffix.lower() in SUFFIXES


def read_corpus(
    paths: Iterable[Path],
    reading: Reading,
    loose_split: str = "train",
    on_file: Callable[[int, int], None] = lambda _done, _all: None,
    cache: Path | None = None,
) -> Corpus:
    """Reads every file; pieces of MIDI files go to the split `loose_split`, those of an .npz to the splits it names.

    Args:
        on_file: told after each file how many of how many are read.
        cache: folder that keeps the piano-rolls, which then stay on disk and are not read anew next time; None reads
            them into memory. A handful of files is read into memory either way.

    Raises:
        ImprovError: a path does not exist, nothing at all could be read, .npz files of different grids meet, or the
            cache cannot be written.
    """
    files, unreadable = find_files(paths)
    corpus = Corpus(reading.frame_beats, skipped=unreadable)
    grids: set[float] = set()
    found = read_files(files, partial(_read_file, reading=reading), f"{reading} {_version()}", cache, on_file)
    for path, pieces in zip(files, found, strict=True):
        if isinstance(pieces, Unreadable):
            corpus.skipped.append((str(path), pieces.reason))
            continue
        grids.update(roll.grid for rolls in pieces.values() for roll in rolls)
        for split, rolls in pieces.items():
            corpus.splits.setdefault(split or loose_split, []).extend(rolls)
        corpus.articulated &= path.suffix.lower() != ".npz"
    if not any(corpus.splits.values()):
        first = f" (first reason: {corpus.skipped[0][1]})" if corpus.skipped else ""
        where = ", ".join(str(path) for path in paths)
        raise ImprovError(f"no music to read in {where}: give MIDI files, folders of them, or .npz piano-rolls{first}")
    if len(grids) > 1:
        raise ImprovError(f"the files have different grids ({', '.join(f'{g:g}' for g in sorted(grids))} beats): "
                          "give files of one grid at a time; MIDI files follow that of --grid")  # fmt: skip
    corpus.grid = grids.pop()
    return corpus


def _read_file(path: Path, reading: Reading) -> Pieces:
    if path.suffix.lower() == ".npz":
        return load_npz(path)  # piano-rolls come on their own grid and in their own key
    roll = _roll(path, reading)
    if reading.normalise:
        roll = roll.transposed(key_of(roll).shift)
    return {LOOSE: [replace(roll, downbeat=downbeat_of(roll))]}


def _roll(path: Path, reading: Reading) -> PianoRoll:
    score, pitches = read_score(path, published=reading.rules != MUSICAL), (reading.low, reading.n_pitches)
    if reading.rules != MUSICAL:
        return published_roll(score, reading.rules, reading.grid, reading.dt, *pitches)
    if reading.dt is not None:
        return to_roll_seconds(score, reading.dt, *pitches)
    return to_roll(score, reading.grid, *pitches)


def _version() -> int:
    """A number that changes with the code that reads: what an earlier version read is not to be taken for its own."""
    checksum = 0
    for source in [Path(__file__), *sorted(Path(music.__file__).parent.glob("*.py"))]:
        checksum = zlib.crc32(source.read_bytes(), checksum)
    return checksum


def hold_out(corpus: Corpus, share: float, seed: int) -> None:
    """Moves `share` of the training pieces to the split `valid` where there is none yet: at least one, never all."""
    pieces = corpus.splits.get("train", [])
    if not share or corpus.splits.get("valid") or len(pieces) < 2:
        return
    order = list(range(len(pieces)))
    random.Random(seed).shuffle(order)
    held = set(order[: min(max(1, round(share * len(pieces))), len(pieces) - 1)])
    corpus.splits["valid"] = [pieces[i] for i in sorted(held)]
    corpus.splits["train"] = [piece for i, piece in enumerate(pieces) if i not in held]

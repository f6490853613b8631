"""The cache of piano-rolls. What a music file is, is not its business: here each is a text of lengths of pieces."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from processes import alive, children

from improv.errors import ImprovError
from improv.music.pianoroll import PianoRoll
from improv.train.cache import FEW_FILES, UNUSED_DAYS, read_files
from improv.train.shard import Found, Pieces, Unreadable

MANY = FEW_FILES + 5
REPOSITORY = Path(__file__).parents[2]


def read(path: Path, log: Path) -> Pieces:
    """Reads `3 5`: two pieces of so many frames. Leaves a file named after it in `log`."""
    (log / path.name).touch()
    try:
        content = path.read_text()
    except OSError as error:
        raise ImprovError(f"{path}: {error.strerror}") from error
    if "?" in content:
        raise ImprovError(f"{path}: holds no notes")
    rng = np.random.default_rng(len(content))
    rolls = [
        PianoRoll((rng.random((int(length), 2, 60)) < 0.5).astype(np.uint8), 0.5, 30, 3.0, 2)
        for length in content.split()
    ]
    return {"": rolls[:1], "valid": rolls[1:]}


class Music:
    """A folder of music, its cache, and a log of what is read."""

    def __init__(self, folder: Path, count: int = MANY) -> None:
        self.files = [folder / "music" / f"{number:03}.txt" for number in range(count)]
        self.cache, self._log = folder / "cache", folder / "log"
        for place in (folder / "music", self._log):
            place.mkdir(parents=True)
        for number, path in enumerate(self.files):
            path.write_text(f"{number + 1} 7")
        self.files[3].write_text("?")

    def read(self, how: str = "so", processes: int = 1, files: Sequence[Path] = ()) -> tuple[list[Found], list[str]]:
        """What is in the files, and which of them were opened for it."""
        for path in self._log.iterdir():
            path.unlink()
        found = read_files(files or self.files, partial(read, log=self._log), how, self.cache, processes=processes)
        return found, sorted(path.name for path in self._log.iterdir())

    @property
    def shards(self) -> list[Path]:
        """Whatever is in the cache."""
        return sorted(self.cache.iterdir())


@pytest.fixture
def music(tmp_path: Path) -> Music:
    """A folder of music with a damaged file in it."""
    return Music(tmp_path)


def same(found: list[Found], expected: list[Found]) -> bool:
    """Whether both hold the same pieces and reasons."""

    def plain(content: Found) -> object:
        if isinstance(content, Unreadable):
            return content
        return {
            split: [(r.frames.tobytes(), r.frames.shape, r.grid, r.low, r.bar_beats, r.downbeat) for r in rolls]
            for split, rolls in content.items()
            if rolls
        }

    return [plain(content) for content in found] == [plain(content) for content in expected]


@pytest.mark.parametrize("processes", [1, 2])
def test_what_comes_from_the_cache_is_what_was_read_and_nothing_is_read_twice(music: Music, processes: int) -> None:
    fresh = read_files(music.files, partial(read, log=music.cache.parent / "log"), "", None)
    first, opened = music.read(processes=processes)
    second, again = music.read(processes=processes)
    assert same(first, fresh)
    assert same(second, fresh)
    assert (opened, again) == ([path.name for path in music.files], [])
    assert first[3] == second[3] == Unreadable("holds no notes")
    assert len(music.shards) == 1
    assert not multiprocessing.active_children()


def test_frames_lie_on_disk_and_cannot_be_written(music: Music) -> None:
    found, _ = music.read()
    assert isinstance(found[0], dict)
    frames = found[0]["valid"][0].frames
    assert not frames.flags.writeable
    base = frames
    while isinstance(base.base, np.ndarray):
        base = base.base
    assert isinstance(base, np.memmap)


def test_a_file_that_changed_or_is_new_is_read_anew_and_only_that(music: Music) -> None:
    music.read()
    music.files[5].write_text("40 1 2")
    os.utime(music.files[6], ns=(1, 1))
    music.files.append(music.files[0].with_name("new.txt"))
    music.files[-1].write_text("9")
    found, opened = music.read()
    assert opened == ["005.txt", "006.txt", "new.txt"]
    assert isinstance(found[5], dict)
    assert [len(roll) for rolls in found[5].values() for roll in rolls] == [40, 1, 2]
    assert music.read()[1] == []


def test_the_cache_serves_parts_of_a_folder_and_more_than_it(music: Music) -> None:
    music.read(files=music.files[:-3])
    assert music.read(files=music.files[2:])[1] == [path.name for path in music.files[-3:]]


def test_what_was_read_in_another_way_is_not_taken(music: Music) -> None:
    music.read("so")
    assert len(music.read("otherwise")[1]) == MANY
    assert music.read("so")[1] == music.read("otherwise")[1] == []


def test_a_handful_of_files_leaves_nothing_behind(tmp_path: Path) -> None:
    music = Music(tmp_path, FEW_FILES - 1)
    found, opened = music.read()
    assert len(opened) == len(found) == FEW_FILES - 1
    assert not music.cache.exists()


def test_a_file_that_could_not_be_opened_is_tried_again(music: Music) -> None:
    music.files[8].unlink()
    music.files[8].mkdir()
    music.files.insert(9, music.files[8].with_name("gone.txt"))
    found, _ = music.read()
    assert found[8:10] == [Unreadable("Is a directory", True), Unreadable("No such file or directory", True)]
    assert music.read()[1] == ["008.txt", "gone.txt"]


def flipped(content: bytes, place: int) -> bytes:
    """With one bit other than it was."""
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda _content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: content[1:],
        lambda content: content + b"\0",
        lambda content: flipped(content, -40),
        lambda content: flipped(content, -1),
        lambda _content: b"PK\x03\x04 something else" * 100,
    ],
    ids=["empty", "half", "end lost", "start lost", "longer", "index", "footer", "foreign"],
)
def test_a_damaged_shard_is_not_trusted_but_replaced(music: Music, damage: object) -> None:
    fresh, _ = music.read()
    (shard,) = music.shards
    copy = music.cache.parent / "copy"
    copy.write_bytes(damage(shard.read_bytes()))  # type: ignore[operator]
    copy.replace(shard)  # `fresh` still looks at the file that was there
    found, opened = music.read()
    assert len(opened) == MANY
    assert same(found, fresh)
    assert len(music.shards) == 1
    assert music.shards != [shard]


def test_of_a_shard_with_damaged_frames_the_others_are_used(music: Music) -> None:
    fresh, _ = music.read()
    (shard,) = music.shards
    copy = music.cache.parent / "copy"
    copy.write_bytes(flipped(shard.read_bytes(), 0))
    copy.replace(shard)
    found, opened = music.read()
    assert opened == ["000.txt"]
    assert same(found, fresh)


def test_a_shard_that_no_file_fits_any_more_is_deleted_but_not_one_whose_files_are_away(music: Music) -> None:
    music.read()
    away = music.files[0].parent.rename(music.cache.parent / "away")
    others = Music(music.cache.parent / "others")
    others.cache = music.cache
    others.read()
    assert len(music.shards) == 2
    away.rename(music.files[0].parent)
    assert music.read()[1] == []
    for path in others.files:
        path.write_text("1")
    music.read()
    assert len(music.shards) == 1
    assert music.read()[1] == []


def test_what_nobody_asked_for_in_a_month_is_deleted(music: Music) -> None:
    music.read("so")
    (old,) = music.shards
    part = music.cache / ("." + "0" * 16 + "-" + "0" * 16 + ".part")
    part.touch()
    long_ago = time.time() - (UNUSED_DAYS + 1) * 24 * 3600
    for path in (old, part):
        os.utime(path, (long_ago, long_ago))
    other = music.cache / ".thesis.part"
    other.touch()
    os.utime(other, (long_ago, long_ago))
    music.read("otherwise")
    assert old not in music.shards
    assert part not in music.shards
    assert other in music.shards, "the user's own"


def test_a_cache_that_cannot_be_written_is_told_in_a_line(music: Music) -> None:
    music.cache.write_text("not a folder")
    with pytest.raises(
        ImprovError, match=r"cannot write the cache of piano-rolls in .*give another place with --cache"
    ):
        music.read()


def test_what_was_read_before_an_error_is_kept(music: Music) -> None:
    music.files[20].write_text("a bug")
    with pytest.raises(ValueError, match="invalid literal"):
        music.read()
    music.files[20].write_text("20 7")
    opened = music.read()[1]
    assert opened == [path.name for path in music.files[20:]]


LARGE = """
import resource, sys
from pathlib import Path
import numpy as np
from improv.music.pianoroll import PianoRoll
from improv.train.cache import read_files

def read(path):
    return {"": [PianoRoll(np.ones((2000, 2, 88), np.uint8), 0.25)]}  # 352 kB

files = sorted((Path(sys.argv[1]) / "music").iterdir())
used = int(Path("/proc/self/status").read_text().partition("VmData:")[2].split()[0]) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (used + 24 * 2**20,) * 2)
try:
    found = read_files(files, read, "so", Path(sys.argv[1]) / "cache" if sys.argv[2] == "cached" else None, processes=1)
except MemoryError:
    sys.exit("it does not fit into memory")
print(sum(int(pieces[""][0].frames[start : start + 100].sum()) for start in range(0, 2000, 100) for pieces in found))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_a_corpus_larger_than_memory_is_read_through(tmp_path: Path) -> None:
    Music(tmp_path, 200)

    def run(how: str) -> tuple[str, str]:
        done = subprocess.run(
            [sys.executable, "-c", LARGE, tmp_path, how], capture_output=True, text=True, check=False,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )  # fmt: skip
        return done.stdout, done.stderr

    total = f"{200 * 2000 * 2 * 88}\n"
    assert run("cached") == (total, "")
    assert run("cached") == (total, "")
    assert run("loaded") == ("", "it does not fit into memory\n")


READER = """
import sys, time
from functools import partial
from pathlib import Path
from improv.train.cache import read_files

def read(path, log):
    (log / path.name).touch()
    time.sleep(0.05)
    return {}

def main():
    folder = Path(sys.argv[1])
    files = sorted((folder / "music").iterdir())
    read_files(files, partial(read, log=folder / "log"), "so", folder / "cache", processes=2)

if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("interrupted")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda stop: stop.name)
def test_stopped_while_it_reads_it_leaves_no_process_and_ctrl_c_keeps_what_was_read(
    tmp_path: Path, stop: signal.Signals
) -> None:
    music = Music(tmp_path, 400)
    script = tmp_path / "reader.py"
    script.write_text(READER)
    process = subprocess.Popen(
        [sys.executable, script, tmp_path], stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    try:
        while len(list((tmp_path / "log").iterdir())) < 40:
            assert process.poll() is None
            time.sleep(0.02)
        started = children(process.pid)
        assert len(started) >= 2
        if stop == signal.SIGINT:
            os.killpg(process.pid, stop)  # as a terminal does
        else:
            process.send_signal(stop)
        told = process.communicate(timeout=60)[1]
        for _ in range(500):
            if not any(alive(pid) for pid in started):
                break
            time.sleep(0.02)
        assert not any(alive(pid) for pid in started)
    finally:
        process.kill()
        process.wait()
    if stop == signal.SIGINT:
        assert told == "interrupted\n"
        assert 20 <= len(music.files) - len(music.read()[1]) < len(music.files)

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_music import folder, piece, save_npz

from improv.errors import ImprovError
from improv.music.key import key_of
from improv.music.midifile import write_midi
from improv.music.pianoroll import MAX_BYTES
from improv.music.published import MUSICAL, NOTTINGHAM
from improv.music.score import Note
from improv.train.corpus import Corpus, Reading, find_files, hold_out, read_corpus

HEADER = b"MThd\x00\x00\x00\x06"
BAD_FILES = {
    "empty.mid": b"",
    "text.mid": b"this is no music\n" * 10,
    "smpte.mid": HEADER + b"\x00\x00\x00\x01\xe7\x28" + b"MTrk\x00\x00\x00\x04\x00\xff\x2f\x00",
    "type2.mid": HEADER + b"\x00\x02\x00\x01\x01\xe0" + b"MTrk\x00\x00\x00\x04\x00\xff\x2f\x00",
    "silent.mid": HEADER + b"\x00\x00\x00\x01\x01\xe0" + b"MTrk\x00\x00\x00\x04\x00\xff\x2f\x00",
    "broken.npz": b"PK\x03\x04 and no more",
    "empty.npz": b"",
}
REASONS = {
    "empty.mid": "empty",
    "text.mid": "not a MIDI file",
    "truncated.mid": "truncated",
    "smpte.mid": "SMPTE",
    "type2.mid": "type 2",
    "silent.mid": "no notes",
    "broken.npz": "not a readable .npz",
    "empty.npz": "not a readable .npz",
    "pickled.npz": "something else than arrays of numbers",
    "huge.npz": "larger than 256 MiB",
    "lengthless.npz": "no train_lengths",
    "foreign.npz": "no train_frames",
    "lengths.npz": "do not fit",
    "nan.npz": "not finite",
    "dangling.mid": "No such file",
    "itself.midi": "symbolic links",
}


def spoil(path: Path) -> None:
    """Puts one bad file of every kind into the folder."""
    for name, content in BAD_FILES.items():
        (path / name).write_bytes(content)
    write_midi(path / "truncated.mid", {"piano": piece(0)})
    whole = (path / "truncated.mid").read_bytes()
    (path / "truncated.mid").write_bytes(whole[: len(whole) // 2])
    np.savez(path / "pickled.npz", train_frames=np.array([object()]), train_lengths=np.array([1]))
    np.savez_compressed(path / "huge.npz", train_frames=np.zeros((MAX_BYTES // 88 + 1, 88), np.uint8))
    np.savez(path / "lengthless.npz", train_frames=np.zeros((3, 88), np.uint8))
    np.savez(path / "foreign.npz", images=np.zeros((3, 3)))
    np.savez(path / "lengths.npz", train_frames=np.zeros((3, 88), np.uint8), train_lengths=np.array([5]))
    np.savez(path / "nan.npz", train_frames=np.full((3, 88), np.nan), train_lengths=np.array([3]))
    (path / "dangling.mid").symlink_to(path / "gone.mid")
    (path / "itself.midi").symlink_to(path / "itself.midi")


def test_folders_are_read_to_the_bottom_in_a_fixed_order_each_file_once(tmp_path: Path) -> None:
    folder(tmp_path / "b" / "deep" / "deeper", 2)
    folder(tmp_path / "a", 1)
    (tmp_path / "a" / "piece0.mid").rename(tmp_path / "a" / "LOUD.MIDI")
    (tmp_path / "b" / "deep" / "deeper" / "piece1.mid").rename(tmp_path / "b" / "deep" / "deeper" / "piece1.kar")
    (tmp_path / "notes.txt").write_text("not music, and not mistaken for it")
    (tmp_path / "folder.mid").mkdir()
    found, skipped = find_files([tmp_path, tmp_path / "a", tmp_path / "a" / "LOUD.MIDI"])
    assert [str(path.relative_to(tmp_path)) for path in found] == [
        "a/LOUD.MIDI", "b/deep/deeper/piece0.mid", "b/deep/deeper/piece1.kar",
    ]  # fmt: skip
    assert not skipped
    assert len(read_corpus([tmp_path], Reading()).splits["train"]) == 3


def test_links_are_followed_and_lead_nowhere_twice(tmp_path: Path) -> None:
    elsewhere = folder(tmp_path / "elsewhere", 1)
    music = folder(tmp_path / "music", 1)
    (music / "back").symlink_to(music)
    (music / "more").symlink_to(elsewhere)
    (music / "again").symlink_to(elsewhere)
    (music / "itself.mid").symlink_to(music / "itself.mid")
    found, skipped = find_files([music])
    names = [str(path.relative_to(music)) for path in found]
    assert (names, skipped) == (["again/piece0.mid", "itself.mid", "piece0.mid"], [])


@contextmanager
def an_ordinary_user() -> Iterator[None]:
    """Where the tests run as root, who may look into everything, they act as somebody else."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.mark.skipif(os.name != "posix", reason="permissions are otherwise here")
def test_what_may_not_be_looked_into_is_named_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o755)
    folder(tmp_path / "open", 2)
    (tmp_path / "open" / "piece1.mid").chmod(0o000)
    closed, listed = (folder(tmp_path / name, 1) for name in ("closed", "listed"))
    monkeypatch.chdir(tmp_path)  # the way here may be closed to others
    closed.chmod(0o000)
    listed.chmod(0o444)  # it tells the names in it, and no more
    try:
        with an_ordinary_user():
            corpus = read_corpus([Path(), Path("closed/piece0.mid")], Reading())
    finally:
        closed.chmod(0o700)
        listed.chmod(0o700)
    assert len(corpus.splits["train"]) == 1
    denied = ["closed", "closed/piece0.mid", "listed/piece0.mid", "open/piece1.mid"]
    assert sorted(corpus.skipped) == [(path, "Permission denied") for path in denied]


def test_every_bad_file_is_named_with_its_reason_and_the_rest_goes_on(tmp_path: Path) -> None:
    spoil(folder(tmp_path, 3))
    told: list[tuple[int, int]] = []
    corpus = read_corpus([tmp_path], Reading(), on_file=lambda done, total: told.append((done, total)))
    assert len(corpus.splits["train"]) == 3
    skipped = {Path(path).name: reason for path, reason in corpus.skipped}
    assert skipped.keys() == REASONS.keys()
    for name, reason in REASONS.items():
        assert reason in skipped[name]
        assert "allow_pickle" not in skipped[name], "advice that is not for the user, and must not be followed"
        assert len(skipped[name].splitlines()) == 1
        assert str(tmp_path) not in skipped[name], "the path is told once"
    assert told == [(done, 19) for done in range(1, 20)]


def test_where_nothing_can_be_read_it_says_so_with_a_reason(tmp_path: Path) -> None:
    with pytest.raises(ImprovError, match="no music to read"):
        read_corpus([tmp_path], Reading())
    (tmp_path / "a.mid").write_bytes(b"")
    with pytest.raises(ImprovError, match="first reason: the file is empty"):
        read_corpus([tmp_path], Reading())
    with pytest.raises(ImprovError, match="does not exist"):
        read_corpus([tmp_path / "nowhere"], Reading())


def test_an_npz_brings_its_own_splits_and_grid(tmp_path: Path) -> None:
    path = save_npz(tmp_path / "rolls.npz", grid=0.5, train=[5, 7], valid=[3], test=[4, 0, 2])
    corpus = read_corpus([path], Reading(grid=0.25))
    lengths = {split: [len(roll) for roll in rolls] for split, rolls in corpus.splits.items()}
    assert lengths == {"train": [5, 7], "valid": [3], "test": [4, 2]}
    assert (corpus.grid, corpus.frames("train"), corpus.frames("nowhere")) == (0.5, 12, 0)
    assert not corpus.articulated


def test_files_of_different_grids_do_not_mix(tmp_path: Path) -> None:
    save_npz(tmp_path / "rolls.npz", grid=0.5, train=[5])
    folder(tmp_path, 1)
    with pytest.raises(ImprovError, match=r"different grids \(0.25, 0.5 beats\)"):
        read_corpus([tmp_path], Reading(grid=0.25))
    assert len(read_corpus([tmp_path], Reading(grid=0.5)).splits["train"]) == 2


def test_pieces_of_midi_files_go_to_the_split_that_is_asked_for(tmp_path: Path) -> None:
    assert list(read_corpus([folder(tmp_path, 2)], Reading(), "midi").splits) == ["midi"]


def test_a_piece_in_g_major_is_moved_to_c(tmp_path: Path) -> None:
    write_midi(tmp_path / "in_g.mid", {"piano": piece(1, shift=7)})
    write_midi(tmp_path / "in_c.mid", {"piano": piece(1)})
    in_g, moved, in_c = (
        read_corpus([tmp_path / name], Reading(normalise=normalise)).splits["train"][0]
        for name, normalise in (("in_g.mid", False), ("in_g.mid", True), ("in_c.mid", True))
    )
    assert key_of(in_g).name == "G major"
    assert key_of(moved).name == "C major"
    assert np.array_equal(moved.frames, in_c.transposed(12).frames), "up a fourth is the shortest way"


def test_frames_may_last_seconds_as_in_the_tutorial(tmp_path: Path) -> None:
    notes = [Note(0, 4, 60, 80), Note(4, 8, 64, 80)]
    write_midi(tmp_path / "slow.mid", {"piano": notes}, 60.0)
    write_midi(tmp_path / "fast.mid", {"piano": notes}, 240.0)
    reading = Reading(dt=0.25, normalise=False)
    slow, fast = (read_corpus([tmp_path / name], reading) for name in ("slow.mid", "fast.mid"))
    assert (slow.frames("train"), fast.frames("train")) == (32, 8)
    assert slow.grid == fast.grid == reading.frame_beats == 0.5
    assert slow.splits["train"][0].sounding[15:17, [39, 43]].tolist() == [[1, 0], [0, 1]]


def test_pieces_may_be_read_by_the_rules_of_a_benchmark(tmp_path: Path) -> None:
    write_midi(tmp_path / "in_g.mid", {"piano": piece(1, shift=7)})
    write_midi(tmp_path / "short.mid", {"piano": [Note(0, 0.3, 60, 80)]})
    reading = Reading(grid=0.5, rules=NOTTINGHAM)
    corpus = read_corpus([tmp_path], reading)
    ours = read_corpus([tmp_path / "in_g.mid"], replace(reading, rules=MUSICAL)).splits["train"][0]
    assert np.array_equal(corpus.splits["train"][0].sounding, ours.sounding[1:]), "all in time, but for the first frame"
    assert key_of(corpus.splits["train"][0]).name == "C major"
    assert [(Path(path).name, "no note is left" in reason) for path, reason in corpus.skipped] == [("short.mid", True)]


def test_what_is_held_out_follows_from_the_seed(tmp_path: Path) -> None:
    def held(seed: int, share: float = 0.3) -> tuple[list[bytes], list[bytes]]:
        corpus = read_corpus([tmp_path], Reading())
        hold_out(corpus, share, seed)
        return tuple([roll.frames.tobytes() for roll in corpus.splits[split]] for split in ("train", "valid"))  # type: ignore[return-value]

    folder(tmp_path, 10)
    train, valid = held(0)
    assert (len(train), len(valid)) == (7, 3)
    assert not set(train) & set(valid)
    assert held(0) == (train, valid)
    assert any(held(seed)[1] != valid for seed in (1, 2))
    assert len(held(0, 0.01)[1]) == 1, "one of several at least"
    assert len(held(0, 0.99)[0]) == 1, "and never all"


def test_nothing_is_held_out_of_one_piece_nor_where_there_is_a_validation_split(tmp_path: Path) -> None:
    single = read_corpus([folder(tmp_path / "one", 1)], Reading())
    hold_out(single, 0.5, 0)
    assert (len(single.splits["train"]), single.splits.get("valid")) == (1, None)
    pieces = read_corpus([folder(tmp_path / "more", 4)], Reading()).splits["train"]
    corpus = Corpus(0.25, {"train": pieces[1:], "valid": pieces[:1]})
    hold_out(corpus, 0.5, 0)
    assert (len(corpus.splits["train"]), corpus.splits["valid"]) == (3, pieces[:1])

"""The journal: what is written is on disk, and nobody else writes there."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from improv.errors import ImprovError
from improv.music.journal import InUse, Journal, journal_of
from improv.music.midifile import read_score
from improv.music.take import finish


@pytest.fixture
def take(tmp_path: Path) -> Path:
    return tmp_path / "take.mid"


def test_a_killed_process_loses_no_note(take: Path) -> None:
    program = (
        "import os, pathlib, signal, sys\n"
        "from improv.music.journal import Journal\n"
        "journal = Journal(pathlib.Path(sys.argv[1]))\n"
        "for beat in range(100): journal.note('player', 60, 80, beat)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(journal_of(take))], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert finish(Journal(journal_of(take)), take).n_notes == 100


def test_folders_are_made_and_an_impossible_place_is_explained(tmp_path: Path) -> None:
    Journal(tmp_path / "a" / "b" / "x.journal").close()
    assert (tmp_path / "a" / "b" / "x.journal").exists()
    (tmp_path / "file").touch()
    with pytest.raises(ImprovError, match="cannot record to"):
        Journal(tmp_path / "file" / "x.journal")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_remembered_and_does_not_raise(tmp_path: Path) -> None:
    (tmp_path / "x.journal").symlink_to("/dev/full")
    journal = Journal(tmp_path / "x.journal")
    journal.note("player", 60, 80, 0)
    assert journal.problem is not None
    assert "No space left" in journal.problem
    journal.note("player", 60, 0, 1)
    journal.close()


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on the size of files")
def test_what_a_full_disk_does_not_take_waits_for_room(take: Path) -> None:
    program = (
        "import pathlib, resource, signal, sys\n"
        "from improv.music.journal import Journal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "journal = Journal(pathlib.Path(sys.argv[1]))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))\n"
        "for beat in range(5): journal.note('player', 60, 80, beat)\n"
        "assert journal.problem\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "journal.note('player', 72, 80, 6)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(journal_of(take))], check=True)
    finish(Journal(journal_of(take)), take)
    assert [(note.pitch, note.onset) for note in read_score(take).notes] == [*((60, n) for n in range(5)), (72, 6)]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_what_no_disk_takes_can_be_read_all_the_same(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "x.journal")
    journal.note("player", 60, 80, 0)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, journal._file)
    os.close(full)
    journal.note("player", 61, 80, 1)
    journal.note("player", 62, 80, 2)
    assert [json.loads(line)[2] for line in journal.read() if line] == [60, 61, 62]
    journal.close()


def test_writing_to_a_closed_journal_is_a_problem_not_an_error(take: Path) -> None:
    journal = Journal(journal_of(take))
    journal.close()
    journal.close()
    journal.note("player", 60, 80, 0)
    assert journal.problem


def test_a_journal_is_its_session_s_alone(take: Path) -> None:
    first = Journal(journal_of(take))
    first.note("player", 60, 80, 0)
    with pytest.raises(InUse, match="another session"):
        Journal(journal_of(take))
    first.note("player", 60, 0, 1)
    first.close()
    assert finish(Journal(journal_of(take)), take).n_notes == 1


def test_a_killed_session_lets_go_of_its_journal(take: Path) -> None:
    program = (
        "import pathlib, sys, time\n"
        "from improv.music.journal import Journal\n"
        "journal = Journal(pathlib.Path(sys.argv[1]))\n"
        "print('ready', flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(journal_of(take))], stdout=subprocess.PIPE, text=True
    ) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == "ready\n"
            with pytest.raises(InUse):
                Journal(journal_of(take))
        finally:
            other.kill()
    Journal(journal_of(take)).close()


def test_only_the_parts_that_are_kept_are_written(take: Path) -> None:
    journal = Journal(journal_of(take), ("partner",))
    journal.note("player", 60, 80, 0)
    journal.pedal(127, 0)
    journal.note("partner", 64, 80, 0)
    assert finish(journal, take).n_notes == 1
    assert [note.pitch for note in read_score(take).notes] == [64]

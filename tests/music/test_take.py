import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import mido
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from improv.errors import ImprovError
from improv.music.midifile import read_score
from improv.music.take import Journal, finish, journal_of

in_one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture
def take(tmp_path: Path) -> Path:
    return tmp_path / "take.mid"


def write_lines(path: Path, *lines: object) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_take_has_both_parts_the_tempo_and_the_metre(take: Path) -> None:
    journal = Journal(journal_of(take))
    journal.bar(3)
    journal.tempo(0, 100)
    journal.note("player", 60, 80, 0.5)
    journal.note("partner", 64, 70, 1)
    journal.tempo(1.5, 150)
    journal.note("player", 60, 0, 2)
    journal.note("partner", 64, 0, 2.5)
    journal.close()
    assert finish(journal_of(take), take) == 2
    assert [track.name for track in mido.MidiFile(take).tracks] == ["", "player", "partner"]
    score = read_score(take)
    assert [(n.onset, n.end, n.pitch, n.velocity, n.track) for n in score.notes] == [
        (0.5, 2, 60, 80, 1),
        (1, 2.5, 64, 70, 2),
    ]
    assert [(beat, round(bpm, 3)) for beat, bpm in score.tempo_map] == [(0, 100), (1.5, 150)]
    assert score.bar_beats == 3
    assert not journal_of(take).exists()


def test_open_notes_end_at_the_last_beat(take: Path) -> None:
    write_lines(journal_of(take), ["note", "player", 60, 80, 1.0, 0], ["note", "partner", 62, 80, 4.0, 0])
    finish(journal_of(take), take)
    assert [(note.onset, note.pitch) for note in read_score(take).notes] == [(1, 60), (4, 62)]
    assert read_score(take).notes[0].end == 4


def test_a_repeated_note_ends_the_sounding_one(take: Path) -> None:
    strikes = [["note", "player", 60, velocity, beat, 0] for velocity, beat in ((80, 0.0), (90, 1.0), (0, 2.0))]
    write_lines(journal_of(take), *strikes)
    assert finish(journal_of(take), take) == 2
    assert [(note.onset, note.end, note.velocity) for note in read_score(take).notes] == [(0, 1, 80), (1, 2, 90)]


def test_without_notes_there_is_no_take(take: Path) -> None:
    journal = Journal(journal_of(take))
    journal.tempo(0, 100)
    journal.close()
    assert finish(journal_of(take), take) == 0
    assert list(take.parent.iterdir()) == []


def test_a_killed_process_loses_no_note(take: Path) -> None:
    program = (
        "import os, pathlib, signal, sys\n"
        "from improv.music.take import Journal\n"
        "journal = Journal(pathlib.Path(sys.argv[1]))\n"
        "for beat in range(100): journal.note('player', 60, 80, beat)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(journal_of(take))], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert finish(journal_of(take), take) == 100


def test_a_half_line_loses_only_itself(take: Path) -> None:
    write_lines(journal_of(take), ["note", "player", 60, 80, 0.0, 0], ["note", "player", 60, 0, 1.0, 0])
    with journal_of(take).open("a") as file:
        file.write('["note", "player", 6')
    assert finish(journal_of(take), take) == 1


def test_the_journal_stays_when_the_take_cannot_be_written(tmp_path: Path) -> None:
    journal = tmp_path / "x.journal"
    write_lines(journal, ["note", "player", 60, 80, 0.0, 0])
    with pytest.raises(ImprovError, match=r"kept in .*x\.journal"):
        finish(journal, journal / "take.mid")
    assert journal.exists()


def test_a_missing_journal_is_explained(take: Path) -> None:
    with pytest.raises(ImprovError, match="cannot finish"):
        finish(journal_of(take), take)


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
def test_a_line_torn_by_a_full_disk_does_not_spoil_the_next(take: Path) -> None:
    program = (
        "import pathlib, resource, signal, sys\n"
        "from improv.music.take import Journal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "journal = Journal(pathlib.Path(sys.argv[1]))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))\n"
        "for beat in range(5): journal.note('player', 60, 80, beat)\n"
        "assert journal.problem\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "journal.note('player', 72, 80, 6)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(journal_of(take))], check=True)
    finish(journal_of(take), take)
    assert read_score(take).notes[-1].pitch == 72


def test_writing_to_a_closed_journal_is_a_problem_not_an_error(take: Path) -> None:
    journal = Journal(journal_of(take))
    journal.close()
    journal.close()
    journal.note("player", 60, 80, 0)
    assert journal.problem


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["note", "tempo", "bar", "player", "partner"]),
    lambda inner: st.lists(inner, max_size=6),
    max_leaves=8,
)
numbers = st.integers(-2, 200) | st.floats() | st.sampled_from([0, 1, 60, 1e300, -1.0])
nearly = st.tuples(st.just("note"), st.sampled_from(["player", "partner", "x"]), numbers, numbers, numbers, numbers)
nearly_other = st.tuples(st.sampled_from(["tempo", "bar"]), numbers, numbers)
lines = (values | nearly | nearly_other).map(lambda value: json.dumps(value).encode()) | st.binary(max_size=40)


@in_one_folder
@given(st.lists(lines, max_size=20))
def test_any_journal_is_survived_and_what_it_gives_can_be_read(take: Path, content: list[bytes]) -> None:
    journal_of(take).write_bytes(b"\n".join([*content, b"[" * 10_000]))
    count = finish(journal_of(take), take)
    assert take.exists() == (count > 0)
    if count:
        assert 0 < len(read_score(take, drums=True).notes) <= count
        os.unlink(take)

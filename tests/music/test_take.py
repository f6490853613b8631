import errno
import json
import os
from pathlib import Path

import mido
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from improv import files
from improv.errors import ImprovError
from improv.music.journal import Journal, journal_of
from improv.music.midifile import read_score
from improv.music.take import begin, finish, finish_for_another, rescue

in_one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture
def take(tmp_path: Path) -> Path:
    return tmp_path / "take.mid"


def write_lines(path: Path, *lines: object) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_take_has_both_parts_the_tempo_and_the_metre(take: Path) -> None:
    journal = Journal(journal_of(take))
    journal.bar(6, 8)
    journal.tempo(0, 100)
    journal.note("player", 60, 80, 0.5)
    journal.note("partner", 64, 70, 1)
    journal.tempo(1.5, 150)
    journal.note("player", 60, 0, 2)
    journal.note("partner", 64, 0, 2.5)
    journal.close()
    assert finish(Journal(journal_of(take)), take).n_notes == 2
    assert [track.name for track in mido.MidiFile(take).tracks] == ["", "player", "partner"]
    score = read_score(take)
    assert [(n.onset, n.end, n.pitch, n.velocity, n.track) for n in score.notes] == [
        (0.5, 2, 60, 80, 1),
        (1, 2.5, 64, 70, 2),
    ]
    assert [(beat, round(bpm, 3)) for beat, bpm in score.tempo_map] == [(0, 100), (1.5, 150)]
    assert score.signature == (6, 8)
    assert not journal_of(take).exists()


def test_open_notes_end_at_the_last_beat(take: Path) -> None:
    write_lines(journal_of(take), ["note", "player", 60, 80, 1.0], ["note", "partner", 62, 80, 4.0])
    finish(Journal(journal_of(take)), take)
    assert [(note.onset, note.pitch) for note in read_score(take).notes] == [(1, 60), (4, 62)]
    assert read_score(take).notes[0].end == 4


def test_a_repeated_note_ends_the_sounding_one(take: Path) -> None:
    strikes = [["note", "player", 60, velocity, beat] for velocity, beat in ((80, 0.0), (90, 1.0), (0, 2.0))]
    write_lines(journal_of(take), *strikes)
    assert finish(Journal(journal_of(take)), take).n_notes == 2
    assert [(note.onset, note.end, note.velocity) for note in read_score(take).notes] == [(0, 1, 80), (1, 2, 90)]


def test_without_notes_there_is_no_take(take: Path) -> None:
    journal = Journal(journal_of(take))
    journal.tempo(0, 100)
    journal.close()
    assert finish(Journal(journal_of(take)), take).n_notes == 0
    assert list(take.parent.iterdir()) == []


def test_a_half_line_loses_only_itself(take: Path) -> None:
    write_lines(journal_of(take), ["note", "player", 60, 80, 0.0], ["note", "player", 60, 0, 1.0])
    with journal_of(take).open("a") as file:
        file.write('["note", "player", 6')
    assert finish(Journal(journal_of(take)), take).n_notes == 1


def test_the_journal_stays_when_the_take_cannot_be_written(tmp_path: Path) -> None:
    journal = tmp_path / "x.journal"
    write_lines(journal, ["note", "player", 60, 80, 0.0])
    with pytest.raises(ImprovError, match=r"kept in .*x\.journal"):
        finish(Journal(journal), journal / "take.mid")
    assert journal.exists()


def test_a_take_that_cannot_be_written_goes_to_the_first_folder_that_has_room(tmp_path: Path, take: Path) -> None:
    take.mkdir()  # in the way
    (tmp_path / "file").touch()
    spare = [tmp_path / "file", tmp_path / "spare", tmp_path / "unneeded"]
    spare[1].mkdir()
    (spare[1] / take.name).touch()  # and not written over
    write_lines(journal_of(take), ["note", "player", 60, 80, 0.0])
    finished = finish(Journal(journal_of(take)), take, spare)
    assert (finished.take, finished.n_notes) == (spare[1] / "take-2.mid", 1)
    assert finished.obstacle.startswith(f"cannot write {take}: ")
    assert [note.pitch for note in read_score(finished.take).notes] == [60]
    assert not journal_of(take).exists()
    assert sorted(path.name for path in spare[1].iterdir()) == ["take-2.mid", "take.mid"]
    assert not spare[2].exists()


def test_where_there_is_no_room_at_all_the_journal_stays(tmp_path: Path, take: Path) -> None:
    take.mkdir()
    (tmp_path / "file").touch()
    write_lines(journal_of(take), ["note", "player", 60, 80, 0.0])
    with pytest.raises(ImprovError, match="become a take at a later start"):
        finish(Journal(journal_of(take)), take, [tmp_path / "file"])
    take.rmdir()
    assert rescue(take.parent) == ([take.with_name("take-rescued.mid")], [])


def test_a_missing_journal_is_explained(take: Path) -> None:
    with pytest.raises(ImprovError, match="is gone"):
        finish_for_another(take)
    assert list(take.parent.iterdir()) == []


def test_the_pedal_is_in_the_take_and_read_back_as_it_sounded(take: Path) -> None:
    journal = Journal(journal_of(take))
    journal.note("player", 60, 80, 0)
    journal.note("partner", 48, 80, 0)
    journal.pedal(127, 0.5)
    journal.note("player", 60, 0, 1)
    journal.note("partner", 48, 0, 1)
    journal.pedal(0, 3)
    journal.note("player", 62, 80, 4)
    journal.note("player", 62, 0, 5)
    finish(journal, take)
    player, partner = mido.MidiFile(take).tracks[1:]
    assert [(m.control, m.value, m.channel) for m in player if m.type == "control_change"] == [(64, 127, 0), (64, 0, 0)]
    keys = {message.channel for message in partner if not message.is_meta}
    assert keys == {1}, "the player's pedal must not hold the partner's notes where all tracks are played as one"
    notes = [(note.pitch, note.onset, note.end) for note in read_score(take).notes]
    assert notes == [(48, 0, 1), (60, 0, 3), (62, 4, 5)]


def test_music_that_is_there_is_never_written_over(take: Path) -> None:
    take.touch()
    path, journal, why = begin(take)
    journal.remove()
    assert (path, why) == (take.with_name("take-2.mid"), f"{take} exists")
    assert [path.name for path in take.parent.iterdir()] == ["take.mid"]


def test_sessions_at_the_same_time_record_into_takes_of_their_own(take: Path) -> None:
    sessions = [begin(take) for _ in range(3)]
    for number, (_, journal, _) in enumerate(sessions):
        journal.note("player", 60 + number, 80, 0)
    for path, journal, _ in sessions:
        finish(journal, path)
    assert [path.name for path, _, _ in sessions] == ["take.mid", "take-2.mid", "take-3.mid"]
    assert [read_score(path).notes[0].pitch for path, _, _ in sessions] == [60, 61, 62]
    assert len(list(take.parent.iterdir())) == 3


def test_what_dead_sessions_left_becomes_takes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_lines(tmp_path / f"{name}.mid.journal", ["note", "player", 60, 80, 0.0])
    (tmp_path / "two-rescued.mid").touch()
    write_lines(tmp_path / "silent.mid.journal", ["bar", 4, 4])
    (tmp_path / "notes.journal").write_text("dear diary")
    assert rescue(tmp_path) == ([tmp_path / "one-rescued.mid", tmp_path / "two-rescued-2.mid"], [])
    assert all(read_score(tmp_path / name).notes for name in ("one-rescued.mid", "two-rescued-2.mid"))
    assert [path.name for path in tmp_path.glob("*.journal")] == ["notes.journal"]
    assert rescue(tmp_path) == ([], [])
    assert rescue(tmp_path / "nowhere") == ([], [])


@pytest.mark.parametrize("name", ["song.mid", "song.midi", "song.kar", "LOUD.MID", "song-2.mid"])
def test_whatever_a_take_is_called_it_is_rescued(tmp_path: Path, name: str) -> None:
    write_lines(journal_of(tmp_path / name), ["note", "player", 60, 80, 0.0])
    (tmp_path / "other.journal").write_text("not ours")
    rescued, problems = rescue(tmp_path)
    assert ([path.suffix for path in rescued], problems) == ([Path(name).suffix], [])
    assert (tmp_path / "other.journal").exists()


def test_an_odd_file_does_not_keep_the_others_from_being_rescued(tmp_path: Path) -> None:
    (tmp_path / "a-link.mid.journal").symlink_to(tmp_path / "nowhere")
    (tmp_path / "b-folder.mid.journal").mkdir()
    write_lines(tmp_path / f"{'c' * 240}.mid.journal", ["note", "player", 60, 80, 0.0])  # its take's name is too long
    write_lines(tmp_path / "d.mid.journal", ["note", "player", 60, 80, 0.0])
    rescued, problems = rescue(tmp_path)
    assert rescued == [tmp_path / "d-rescued.mid"]
    assert len(problems) == 3
    assert all(name in problem for name, problem in zip(("a-link", "b-folder", "ccc"), problems, strict=True))
    assert not (tmp_path / "nowhere").exists()


def test_without_locks_a_journal_is_left_until_nobody_can_be_recording_there(
    take: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(_file: int) -> None:  # as some network drives have none
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(files, "_lock", no_locks)
    _, journal, _ = begin(take)
    journal.note("player", 60, 80, 0)
    assert rescue(take.parent) == ([], [])
    assert begin(take)[0] == take.with_name("take-2.mid")
    journal.note("player", 60, 0, 1)
    journal.close()
    os.utime(journal.path, (0, 0))
    assert rescue(take.parent) == ([take.with_name("take-rescued.mid")], [])


def test_what_a_living_session_records_is_left_to_it(take: Path) -> None:
    journal = Journal(journal_of(take))
    journal.note("player", 60, 80, 0)
    assert rescue(take.parent) == ([], [])
    journal.note("player", 60, 0, 1)
    assert finish(journal, take).n_notes == 1


def test_a_take_that_cannot_be_rescued_is_not_recorded_over(take: Path) -> None:
    write_lines(journal_of(take), ["note", "player", 60, 80, 0.0])
    path, journal, why = begin(take)
    journal.remove()
    assert path == take.with_name("take-2.mid")
    assert why == f"{journal_of(take)} holds an unfinished take"
    assert journal_of(take).exists()


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["note", "pedal", "tempo", "bar", "player", "partner"]),
    lambda inner: st.lists(inner, max_size=6),
    max_leaves=8,
)
numbers = st.integers(-2, 200) | st.floats() | st.sampled_from([0, 1, 60, 1e300, -1.0])
nearly = st.tuples(st.just("note"), st.sampled_from(["player", "partner", "x"]), numbers, numbers, numbers)
nearly_other = st.tuples(st.sampled_from(["pedal", "tempo", "bar"]), numbers, numbers)
nearly_bar = st.tuples(st.just("bar"), st.integers(-2, 300), st.sampled_from([-4, 0, 1, 3, 4, 2**200, 2**300]))
lines = (values | nearly | nearly_other | nearly_bar).map(lambda value: json.dumps(value).encode()) | st.binary(
    max_size=40
)


@in_one_folder
@given(st.lists(lines, max_size=20))
def test_any_journal_is_survived_and_what_it_gives_can_be_read(take: Path, content: list[bytes]) -> None:
    journal_of(take).write_bytes(b"\n".join([*content, b"[" * 10_000]))
    count = finish(Journal(journal_of(take)), take).n_notes
    assert take.exists() == (count > 0)
    if count:
        assert 0 < len(read_score(take).notes) <= count
        os.unlink(take)

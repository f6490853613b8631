"""Takes are kept, whatever the disk does, and nobody waits for it."""

import sys
import threading
from pathlib import Path

import pytest
from jack_machine import eventually

from improv.live import recorder
from improv.live.messages import TAKE, Notice, Problem, Report, TakeBegun, TakeKept
from improv.live.recorder import Takes
from improv.music.journal import Journal, journal_of
from improv.music.midifile import read_score
from improv.music.score import COMMON_TIME, TimeSignature


@pytest.fixture
def take(tmp_path: Path) -> Path:
    return tmp_path / "take.mid"


def record(takes: Takes, *pitches: int) -> None:
    takes.begin(COMMON_TIME, 120.0)
    for beat, pitch in enumerate(pitches):
        takes.note("player", pitch, 80, beat)
        takes.note("player", pitch, 0, beat + 1)
    takes.keep()


def pitches_in(take: Path) -> list[int]:
    return [note.pitch for note in read_score(take).notes]


def test_nobody_waits_for_the_disk(take: Path) -> None:
    told, go_on = [], threading.Event()

    def report(message: Report) -> None:
        told.append((message, threading.current_thread()))
        go_on.wait()  # as the disk would have it

    takes = Takes(report, take)
    record(takes, 60, 62)
    record(takes, 64)
    assert not take.exists(), "all of that was only asked for"
    go_on.set()
    takes.close()
    second = take.with_name("take-2.mid")
    assert [message for message, _ in told] == [
        *(TakeBegun(str(take)), TakeKept(str(take))),
        *(TakeBegun(str(second)), TakeKept(str(second))),
    ]
    assert threading.current_thread() not in {thread for _, thread in told}
    assert (pitches_in(take), pitches_in(second)) == ([60, 62], [64])


def test_a_second_session_with_the_same_name_says_which_it_takes(take: Path) -> None:
    told: dict[str, list[Report]] = {"first": [], "second": []}
    first, second = Takes(told["first"].append, take), Takes(told["second"].append, take)
    first.begin(COMMON_TIME, 120.0)
    first.note("player", 60, 80, 0.0)
    assert eventually(lambda: told["first"] != [])
    record(second, 72)
    second.close()
    first.keep()
    first.close()
    other = take.with_name("take-2.mid")
    notice = Notice(f"another session is recording to {take}; this take goes to {other}")
    assert told["second"] == [notice, TakeBegun(str(other)), TakeKept(str(other))]
    assert told["first"] == [TakeBegun(str(take)), TakeKept(str(take))]
    assert (pitches_in(take), pitches_in(other)) == ([60], [72])


def test_no_take_is_written_over_by_a_later_one(take: Path) -> None:
    for pitch in (60, 70):
        takes = Takes(lambda _: None, take)
        record(takes)  # not a note: the name is still free
        record(takes, pitch)
        record(takes, pitch + 1)
        takes.close()
    assert {path.name: pitches_in(path) for path in take.parent.iterdir()} == {
        "take.mid": [60],
        "take-2.mid": [61],
        "take-3.mid": [70],
        "take-4.mid": [71],
    }


def test_what_was_cut_off_is_rescued_at_the_next_start_and_told_in_one_line(take: Path) -> None:
    for name in ("take-20260101-120000.mid", "take-20260102-120000.mid"):
        journal = Journal(journal_of(take.with_name(name)))
        journal.note("player", 60, 80, 0.0)
        journal.close()
    told: list[Report] = []
    Takes(told.append, take).close()
    (notice,) = told
    assert isinstance(notice, Notice)
    assert "unfinished" in notice.text
    for path in take.parent.glob("*-rescued.mid"):
        assert str(path) in notice.text
        assert pitches_in(path) == [60]
    assert len(list(take.parent.iterdir())) == 2


def test_what_cannot_be_rescued_costs_no_take_and_is_told_in_one_line(take: Path) -> None:
    old = journal_of(take.with_name("old.mid"))
    old.symlink_to("/nowhere/at/all")
    told: list[Report] = []
    takes = Takes(told.append, take)
    record(takes, 60)
    takes.close()
    notice = Notice(f"left by an earlier session, and not to be rescued: {old} is not a file")
    assert told == [notice, TakeBegun(str(take)), TakeKept(str(take))]


def test_a_take_that_cannot_be_written_is_kept_in_the_music_folder(take: Path, music_folder: Path) -> None:
    told: list[Report] = []
    takes = Takes(told.append, take)
    takes.begin(COMMON_TIME, 120.0)
    assert eventually(lambda: TakeBegun(str(take)) in told)
    take.mkdir()  # in the way
    takes.note("player", 60, 80, 0.0)
    takes.keep()
    takes.close()
    other = music_folder / "improv" / take.name
    assert told[1:] == [
        Problem(f"cannot write {take}: Is a directory; this take goes to {other}", about=TAKE),
        TakeKept(str(other), begun=str(take)),
    ]
    assert pitches_in(other) == [60]
    assert not journal_of(take).exists()


def test_where_nothing_can_be_recorded_the_music_folder_is_tried(tmp_path: Path, music_folder: Path) -> None:
    (tmp_path / "file").touch()
    told: list[Report] = []
    takes = Takes(told.append, tmp_path / "file" / "take.mid")
    record(takes, 60)
    takes.close()
    other = music_folder / "improv" / "take.mid"
    problem, *rest = told
    assert isinstance(problem, Problem)
    assert problem.about == TAKE
    assert problem.text.startswith("cannot record to ")
    assert problem.text.endswith(f"; this take goes to {other}")
    assert rest == [TakeBegun(str(other)), TakeKept(str(other))]
    assert pitches_in(other) == [60]


def test_a_take_that_can_be_kept_nowhere_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(recorder, "spare_folders", lambda: [tmp_path / "file"])
    told: list[Report] = []
    takes = Takes(told.append, tmp_path / "file" / "take.mid")
    record(takes, 60)
    takes.close()
    assert [(type(report), getattr(report, "about", "")) for report in told] == [(Problem, TAKE)]


def test_a_name_that_an_unfinished_take_has_is_told_as_that(take: Path) -> None:
    told: list[Report] = []
    takes = Takes(told.append, take)
    record(takes)
    assert eventually(lambda: TakeKept(str(take), empty=True) in told)
    journal_of(take).write_text('["note", "player", 60, 80, 0.0]\n')  # after the folder was searched
    record(takes, 72)
    takes.close()
    other = take.with_name("take-2.mid")
    notice = Notice(f"{journal_of(take)} holds an unfinished take; this take goes to {other}")
    assert told[2:] == [notice, TakeBegun(str(other)), TakeKept(str(other))]


@pytest.mark.skipif(sys.platform != "linux", reason="needs a device that takes everything and keeps nothing")
def test_about_every_second_what_was_played_goes_to_the_disk_itself(take: Path) -> None:
    journal_of(take).symlink_to("/dev/null")
    told: list[Report] = []
    takes = Takes(told.append, take)
    takes.begin(COMMON_TIME, 120.0)
    problem = Problem(f"cannot record to {journal_of(take)}: Invalid argument")
    assert eventually(lambda: problem in told), "nobody asked the device whether it keeps anything"
    takes.close()


def test_takes_without_a_name_never_share_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HOME", "USERPROFILE", "XDG_CONFIG_HOME", "XDG_MUSIC_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    told: list[Report] = []
    sessions = [Takes(told.append, None) for _ in range(5)]
    for number, takes in enumerate(sessions):
        record(takes, 60 + number)
        record(takes, 70 + number)
    for takes in sessions:
        takes.close()
    kept = [Path(report.path) for report in told if isinstance(report, TakeKept)]
    assert len(set(kept)) == 10
    assert sorted(pitch for path in kept for pitch in pitches_in(path)) == [*range(60, 65), *range(70, 75)]
    assert not [report for report in told if isinstance(report, Problem)]


def test_an_output_file_holds_the_partner_alone(take: Path) -> None:
    takes = Takes(lambda _: None, take)
    partner = take.with_name("partner.mid")
    takes.begin(TimeSignature(6, 8), 90.0, [partner])
    takes.pedal(127, 0.0)
    takes.note("player", 60, 80, 0.0)
    takes.note("partner", 48, 80, 0.0)
    takes.tempo(2.0, 100.0)
    takes.note("partner", 48, 0, 3.0)
    takes.keep()
    takes.close()
    assert (pitches_in(take), pitches_in(partner)) == ([48, 60], [48])
    for path in (take, partner):
        score = read_score(path)
        assert [(beat, round(bpm)) for beat, bpm in score.tempo_map] == [(0, 90), (2, 100)]
        assert score.signature == (6, 8)

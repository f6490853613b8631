"""The engine as a process: whoever dies, the take is kept."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest
from session import Session

from improv.live.messages import Notice, PlayNote, Problem, SetMode, Status, Stop, TakeKept
from improv.live.process import EngineProcess, Settings
from improv.music.midifile import read_score


@pytest.fixture
def session(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "there-is-none")
    return Session(tiny_model, tmp_path / "take.mid")


def test_play_and_stop(session: Session) -> None:
    session.play_a_while()
    session.engine.send(Stop())
    session.wait_for(TakeKept(str(session.take)))
    assert session.close() == 0
    assert {note.track for note in read_score(session.take).notes} == {1, 2}


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_engine_ends_it_cleanly(session: Session, sign: signal.Signals) -> None:
    session.play_a_while()
    os.kill(session.engine.pid, sign)
    session.wait_for(TakeKept(str(session.take)))
    assert session.close() == 1, "but nobody here had asked it to end"


def test_a_killed_engine_leaves_its_take(session: Session) -> None:
    session.play_a_while()
    os.kill(session.engine.pid, signal.SIGKILL)
    session.wait_for(TakeKept(str(session.take)))
    assert session.engine.ended
    assert 61 in {note.pitch for note in read_score(session.take).notes}


def test_ports_that_have_gone_with_the_engine_do_not_cost_the_take(tiny_model: Path, session: Session) -> None:
    session.close()
    gone = [f"synthesiser {number}" for number in range(4)]
    settings = Settings(model=str(tiny_model), mode="solo", take=str(session.take), outputs=gone)
    session.engine = EngineProcess(settings)
    session.play_a_while()
    os.kill(session.engine.pid, signal.SIGKILL)
    assert session.close() == -signal.SIGKILL
    assert session.engine.ended
    assert TakeKept(str(session.take)) in session.engine.new_reports()


def test_an_engine_that_hangs_keeps_nobody_waiting(session: Session) -> None:
    session.wait_for("stopped")
    os.kill(session.engine.pid, signal.SIGSTOP)
    for _ in range(5000):  # more than a pipe holds
        session.engine.send(PlayNote(61, 90))
    assert session.engine.close(timeout=0.5) == -signal.SIGKILL
    assert session.engine.ended


def test_nonsense_on_the_pipe_is_reported_and_survived(session: Session) -> None:
    session.play_a_while()
    assert session.engine._process.stdin is not None
    session.engine._process.stdin.write('nonsense\n{"is": "Bomb"}\n[]\n{"is": "SetKnob"}\n')
    session.engine._process.stdin.flush()
    session.engine.send(SetMode("trade"))
    deadline = time.monotonic() + 60
    while not any(isinstance(r, Status) and r.mode == "trade" for r in session.reports[-5:]):
        assert time.monotonic() < deadline
        session.reports += session.engine.new_reports()
        time.sleep(0.01)
    problems = [report for report in session.reports if isinstance(report, Problem) and "not a message" in report.text]
    assert len(problems) == 4
    session.close()


def test_an_engine_without_its_panel_stops_and_keeps_the_take(session: Session) -> None:
    session.play_a_while()
    assert session.engine._process.stdin is not None
    session.engine._process.stdin.close()
    session.wait_for(TakeKept(str(session.take)))
    session.close()


@pytest.mark.parametrize("seconds", [0.0, 0.4, 0.8, 1.2, 1.6])
def test_closing_while_the_model_loads_ends_it_cleanly(session: Session, seconds: float) -> None:
    session.wait_for("loading")
    time.sleep(seconds)  # into the midst of loading torch, the model and the chain, or just after
    assert session.close() == 0
    reports = [*session.reports, *session.engine.new_reports()]
    assert not [report for report in reports if isinstance(report, Problem) and report.fatal]
    assert not session.take.exists()


def test_a_missing_model_is_fatal_and_told_in_one_line(tmp_path: Path) -> None:
    session = Session(tmp_path / "none.pt", tmp_path / "take.mid")
    deadline = time.monotonic() + 60
    while not session.engine.ended:
        assert time.monotonic() < deadline
        session.reports += session.engine.new_reports()
        time.sleep(0.01)
    session.reports += session.engine.new_reports()
    fatal = [report for report in session.reports if isinstance(report, Problem) and report.fatal]
    assert len(fatal) == 1
    assert "\n" not in fatal[0].text


@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of another process's files")
@pytest.mark.usefixtures("music_folder")  # where the limit holds, too
def test_a_full_disk_is_told_once_and_what_is_on_it_becomes_a_take_at_the_next_start(
    session: Session, tiny_model: Path
) -> None:
    import resource

    session.play_a_while()
    _, hard = resource.prlimit(session.engine.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(session.engine.pid, resource.RLIMIT_FSIZE, (10, hard))  # bytes: neither journal nor take may grow
    session.engine.send(PlayNote(61, 0))
    assert session.close() == 0
    session.reports += session.engine.new_reports()
    problems = [report.text for report in session.reports if isinstance(report, Problem)]
    assert len([text for text in problems if "cannot record" in text]) == 1
    assert len([text for text in problems if "the notes are kept in" in text]) == 1
    later = Session(tiny_model, session.take)
    rescued = session.take.with_name("take-rescued.mid")
    later.wait_for(Notice(f"left unfinished by an earlier session, now kept: {rescued}"))
    later.close()
    assert 61 in {note.pitch for note in read_score(rescued).notes}

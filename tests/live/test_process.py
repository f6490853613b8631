"""The engine as a process: whoever dies, the take is kept."""

import os
import signal
import time
from pathlib import Path

import pytest

from improv.live.messages import Play, PlayNote, Problem, Report, SetMode, Status, Stop, TakeKept
from improv.live.process import EngineProcess, Settings
from improv.music.midifile import read_score


class Session:
    """An engine without MIDI, played by commands."""

    def __init__(self, model: Path, take: Path) -> None:
        self.take = take
        self.engine = EngineProcess(Settings(model=str(model), mode="solo", take=str(take), outputs=["virtual"]))
        self.reports: list[Report] = []

    def wait_for(self, wanted: Report | str, seconds: float = 60) -> Report:
        """The first report that is `wanted`, or whose state is."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for report in self.engine.new_reports():
                self.reports.append(report)
                if report == wanted or getattr(report, "state", None) == wanted:
                    return report
            time.sleep(0.01)
        raise AssertionError(f"no {wanted} among {self.reports[-5:]}")

    def play_a_while(self) -> None:
        self.engine.send(Play())
        self.wait_for("playing")
        self.engine.send(PlayNote(61, 90))
        time.sleep(1.0)


@pytest.fixture
def session(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "there-is-none")
    return Session(tiny_model, tmp_path / "take.mid")


def test_play_and_stop(session: Session) -> None:
    session.play_a_while()
    session.engine.send(Stop())
    session.wait_for(TakeKept(str(session.take)))
    assert session.engine.close() == 0
    assert {note.track for note in read_score(session.take).notes} == {1, 2}


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_engine_ends_it_cleanly(session: Session, sign: signal.Signals) -> None:
    session.play_a_while()
    os.kill(session.engine.pid, sign)
    session.wait_for(TakeKept(str(session.take)))
    assert session.engine.close() == 0


def test_a_killed_engine_leaves_its_take(session: Session) -> None:
    session.play_a_while()
    os.kill(session.engine.pid, signal.SIGKILL)
    session.wait_for(TakeKept(str(session.take)))
    assert session.engine.ended
    assert 61 in {note.pitch for note in read_score(session.take).notes}


def test_nonsense_on_the_pipe_is_reported_and_survived(session: Session) -> None:
    session.play_a_while()
    assert session.engine._process.stdin is not None
    session.engine._process.stdin.write('nonsense\n{"is": "Bomb"}\n[]\n{"is": "SetKnob"}\n')
    session.engine._process.stdin.flush()
    session.engine.send(SetMode("trade"))
    deadline = time.monotonic() + 20
    while not any(isinstance(r, Status) and r.mode == "trade" for r in session.reports[-5:]):
        assert time.monotonic() < deadline
        session.reports += session.engine.new_reports()
        time.sleep(0.01)
    problems = [report for report in session.reports if isinstance(report, Problem) and "not a message" in report.text]
    assert len(problems) == 4
    session.engine.close()


def test_an_engine_without_its_panel_stops_and_keeps_the_take(session: Session) -> None:
    session.play_a_while()
    assert session.engine._process.stdin is not None
    session.engine._process.stdin.close()
    session.wait_for(TakeKept(str(session.take)))
    session.engine.close()


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

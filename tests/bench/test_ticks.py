"""The benchmark of the live loop says what it should, however fast the machine is that it runs on."""

import math
from pathlib import Path

import numpy as np
import pytest

from improv.bench import stage
from improv.bench import ticks as bench
from improv.bench.instant import CHANNEL, MELODY, _answers
from improv.bench.jack_server import jack_is_installed
from improv.bench.overheard import Overheard
from improv.live.messages import Report, Sounded, Status, encode
from improv.live.outputs import NOTE_ON


@pytest.mark.jack
@pytest.mark.slow
def test_every_figure_comes_from_real_ports() -> None:
    if not jack_is_installed():
        pytest.skip("JACK's programs are not installed")
    results = list(bench.ticks(n_ticks=40, n_notes=24, hours=0.1))
    kinds = [result.name.split(",")[0].split(" of ")[0] for result in results]
    late = ["note late beyond a JACK cycle"] * 3 + ["engine late after its own grid"] * 2 + ["ticks missed"]
    assert kinds == [*late, *late, *["answer to a note"] * 4, "notes not answered before the next tick", "drift"]
    for first in (0, 6):
        values = [result.value for result in results[first : first + 3]]
        assert values == sorted(values)
    assert all(0 <= result.value < math.inf for result in results)
    assert "nothing beside it" in results[0].name
    assert "all cores busy" in results[6].name
    assert "64 frames (1.33 ms)" in results[0].name
    assert [results[n].bar is None for n in (0, 1, 2)] == [True, False, True]


@pytest.mark.slow
def test_where_there_is_no_jack_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", "")  # nor any other program
    results = list(bench.ticks(n_ticks=40, hours=0.1))
    assert [("no jackd" in result.name) for result in results] == [True] * 6 + [False]
    assert all(0 <= result.value < math.inf for result in results)
    assert "no JACK" in capsys.readouterr().err


def test_a_lateness_that_never_varies_is_seen() -> None:
    beats = [tick * 0.25 + 0.01 for tick in range(100)]  # 2 ms at 300 BPM
    reports: list[Report] = [Sounded("partner", 60, 80, beat) for beat in beats]
    reports += [Sounded("partner", 60, 0, 7.2), Status("playing", missed=3, lateness_ms=2.5), Status("stopped")]
    notes, worst, missed = bench._of_the_engine("here", reports)
    assert [notes.value, worst.value, missed.value] == pytest.approx([2.0, 2.5, 3])


def test_a_tick_that_rounding_puts_early_is_not_a_whole_frame_late() -> None:
    reports: list[Report] = [Sounded("partner", 60, 80, np.nextafter(tick * 0.25, 0)) for tick in range(1, 100)]
    assert next(bench._of_the_engine("here", reports)).value == 0


def test_a_slow_answer_is_an_answer_and_the_next_frames_note_is_none() -> None:
    class Heard:
        def __init__(self) -> None:
            moments = ((1.0, CHANNEL), (1.06, 0), (1.07, 0), (1.5, CHANNEL), (1.6, 0))
            self.heard = [(at, bytes((NOTE_ON | channel, MELODY[0], 80))) for at, channel in moments]

        def listen(self) -> None:
            """All has come."""

    assert _answers(Heard()) == pytest.approx([0.06])  # type: ignore[arg-type]


def test_what_the_panels_engine_says_is_overheard(tmp_path: Path) -> None:
    copy = tmp_path / "reports"
    overheard = Overheard(copy)
    assert list(overheard.new_reports()) == []
    with copy.open("a", encoding="utf-8") as stream:
        stream.write(encode(Status("playing", missed=2)))
        stream.write("half a li")
    assert list(overheard.new_reports()) == [Status("playing", missed=2)]
    overheard.close()


@pytest.mark.slow
def test_the_panels_engine_tells_of_its_ticks() -> None:
    if not stage.panel_can_open():
        pytest.skip("Xvfb is not installed")
    with stage.settings(mode="solo", outputs=[]) as chosen, stage.panel(chosen) as engine:
        assert stage.wait_until_playing(engine).state == "playing"

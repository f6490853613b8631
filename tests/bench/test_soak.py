"""A short soak: a jam, on a virtual clock or a real one, leaves nothing behind."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from improv.bench import real_jam, soak
from improv.bench.jack_server import jack_is_installed
from improv.bench.real_jam import FRAME, drifted
from improv.bench.result import Result
from improv.bench.virtual_jam import State, VirtualJam
from improv.bench.vitals import Vitals
from improv.errors import ImprovError
from improv.music.midifile import read_score

EARLY = State(100.0, Vitals(300.0, 8, 4), 1000, 2, 0.0, 0, ())
END = State(3600.0, Vitals(304.0, 7, 4), 9000, 0, 1e-12, 0, ())


@pytest.mark.slow
def test_nothing_piles_up(tiny_model: Path, tmp_path: Path) -> None:
    take = tmp_path / "take.mid"
    early, *_, end = VirtualJam(tiny_model, take, hours=0.2, n_states=6).run()
    assert end.struck > 1000
    assert end.sounding == end.missed == 0
    assert end.problems == ()
    assert end.off < 1e-6
    assert end.vitals.rss < early.vitals.rss + 20
    assert end.vitals.files <= early.vitals.files
    assert end.vitals.threads <= early.vitals.threads
    assert sum(note.track == 2 for note in read_score(take).notes) == end.struck


def test_what_is_well_meets_every_bar() -> None:
    assert all(result.met for result in soak.results("soak", [EARLY, replace(EARLY, struck=8000), END], 9000))


@pytest.mark.parametrize(
    ("changed", "missed"),
    [
        ({"sounding": 1}, "notes left sounding"),
        ({"off": 1e-3}, "worst distance from the grid"),
        ({"missed": 1}, "ticks missed"),
        ({"problems": ("disk full",)}, "problems"),
        ({"struck": 9001}, "notes of the partner kept in the take"),
    ],
)
def test_what_goes_wrong_misses_its_bar(changed: dict[str, object], missed: str) -> None:
    end = replace(END, **changed)  # type: ignore[arg-type]
    assert _missed(list(soak.results("soak", [EARLY, EARLY, end], 9000))) == [missed]


def test_growth_is_between_two_states_of_the_jam_and_not_after_it() -> None:
    grown = replace(EARLY, vitals=Vitals(330.0, 9, 5))
    found = _missed(list(soak.results("soak", [EARLY, grown, END], 9000)))
    assert found == ["memory grown", "files more open", "threads more"]


def _missed(results: list[Result]) -> list[str]:
    return [result.name.removeprefix("soak, ") for result in results if not result.met]


@pytest.mark.slow
def test_every_figure_of_simulated_minutes(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")  # nor JACK
    results = list(soak.soak(hours=0.05, minutes=1, model=tiny_model))
    assert len(results) == 9
    assert all(result.name.startswith("0.05 simulated hours, ") for result in results)
    assert all(result.met for result in results if "grown" not in result.name)
    said = capsys.readouterr().err
    assert "of 0.05 hours" in said
    assert "no JACK" in said


@pytest.mark.jack
@pytest.mark.slow
def test_every_figure_of_real_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    if not jack_is_installed():
        pytest.skip("JACK's programs are not installed")
    monkeypatch.setattr(real_jam, "SOLO_SHARE", 0.25)
    monkeypatch.setattr(real_jam, "SETTLED_SECONDS", 0.5)
    results = {result.name.removeprefix("0.2 real minutes, "): result for result in real_jam.real_jam(0.2)}
    assert list(results) == [
        "memory grown", "files more open", "threads more", "notes of the partner", "notes left sounding",
        "last solo's grid off the first's", "worst tick late", "ticks missed", "problems",
    ]  # fmt: skip
    assert all(math.isfinite(result.value) for result in results.values())
    assert results["notes of the partner"].met
    assert results["notes left sounding"].met


def test_drift_is_the_distance_between_two_grids() -> None:
    ticks = FRAME * np.arange(100)
    assert drifted(3.1 + ticks, 3.1 + ticks + 1000 * FRAME) == pytest.approx(0, abs=1e-9)
    assert drifted(3.1 + ticks, 3.098 + ticks + 1000 * FRAME) == pytest.approx(0.002)
    with pytest.raises(ImprovError, match="no note"):
        drifted(ticks, ticks[:0])

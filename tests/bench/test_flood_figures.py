"""The flood tells its figures, however fast the machine is that it runs on; see also tests/live/test_flood.py."""

import math

import pytest

from improv.bench import flood as bench
from improv.bench.jack_server import jack_is_installed
from improv.bench.vitals import Vitals


@pytest.mark.jack
@pytest.mark.slow
def test_every_figure_of_a_short_flood() -> None:
    if not jack_is_installed():
        pytest.skip("JACK's programs are not installed")
    results = {result.name.split(", ")[-1]: result for result in bench.flood(seconds=1.0, rate=500)}
    assert list(results) == [
        "sent", "sysex besides", "ticks missed", "worst tick late", "memory grown", "files more open", "threads more",
        "notes played", "notes that reached the engine", "notes kept in the take", "notes left sounding",
    ]  # fmt: skip
    assert all(math.isfinite(result.value) for result in results.values())
    assert results["notes played"].value > 0
    assert results["notes left sounding"].met


def test_what_is_lost_or_grows_is_seen() -> None:
    held = Vitals(100.0, 5, 3)
    well = bench.Flooded(600_000, 10_000.0, 1000, 0, 0.1, held, held, 60_000, 60_000, 60_000, 0, 0)
    assert {result.met for result in bench._results(well, "flood", 10_000)} == {True, None}
    badly = bench.Flooded(
        500_000, 8000.0, 1000, 1, 0.1, held, Vitals(200.0, 6, 4), 60_000, 59_999, 59_999, 1, 0
    )  # fmt: skip
    assert {result.met for result in bench._results(badly, "flood", 10_000)} == {False, None}


def test_where_there_is_no_jack_no_flood_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert list(bench.flood()) == []
    assert "no JACK" in capsys.readouterr().err

"""The benchmark of the live loop says what it should, however fast the machine is that it runs on."""

import math

import pytest

from improv.bench import ticks as bench
from improv.bench.jack_server import jack_is_installed


@pytest.mark.jack
@pytest.mark.slow
def test_every_figure_comes_from_real_ports() -> None:
    if not jack_is_installed():
        pytest.skip("JACK's programs are not installed")
    results = list(bench.ticks(n_ticks=40, n_notes=24, hours=0.1))
    late = [result.value for result in results if result.name.startswith("partner late")]
    answers = [result.value for result in results if result.name.startswith("answer")]
    drift = [result.value for result in results if result.name.startswith("drift")]
    assert len(late) == 6
    assert late[:3] == sorted(late[:3])
    assert late[3:] == sorted(late[3:])
    assert [len(answers), len(drift)] == [2, 1]
    missed = [result.unit for result in results if result.name.startswith("ticks missed")]
    assert missed in (["ticks"], ["ticks"] * 2)  # none with the panel
    assert all(0 <= result.value < math.inf for result in results)
    assert all(result.unit == "ms" for result in results if not result.name.startswith("ticks missed"))
    assert "nothing beside it" in results[0].name
    assert "all cores busy" in results[4].name


@pytest.mark.slow
def test_where_there_is_no_jack_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", "")  # nor any other program
    results = list(bench.ticks(n_ticks=40, hours=0.1))
    assert [("no jackd" in result.name) for result in results] == [True] * 8 + [False]
    assert all(0 <= result.value < 1000 * bench.FRAME for result in results if result.unit == "ms")
    assert "no JACK" in capsys.readouterr().err

import importlib
import json
import math
from collections.abc import Iterator

import pytest

from improv.bench import training
from improv.bench.chain import bundled_weights, chain, flips
from improv.bench.result import Bar, Result, at_least, at_most, times_better
from improv.command_line import main
from improv.command_line.bench import SECTIONS


def test_json_is_one_object_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(training, "training", _two_figures)
    assert main(["bench", "training", "--json"]) == 0
    said = capsys.readouterr()
    first, second = json.loads(said.out)["results"]
    assert first == {
        "name": "a", "value": 2.0, "unit": "us", "reference": 10.0, "reference_name": "b", "ratio": 5.0,
        "bar": {"sense": "at least", "limit": 6, "of": "ratio"}, "met": False,
    }  # fmt: skip
    assert (second["reference"], second["ratio"], second["bar"], second["met"]) == (None, None, None, None)
    assert "measuring" in said.err


def test_the_table_says_what_is_missed_and_that_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(training, "training", _two_figures)
    assert main(["bench", "training"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("5x  b  [at least 6x: MISSED]")
    assert second.endswith("ms")


def _two_figures() -> Iterator[Result]:
    yield Result("a", 2.0, "us", 10.0, "b", times_better(6))
    yield Result("c", 1.0, "ms")


def test_every_section_can_be_run() -> None:
    for name in SECTIONS:
        assert callable(getattr(importlib.import_module(f"improv.bench.{name}"), name))


def test_a_section_that_is_not_there_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["bench", "sandwich"])
    assert ended.value.code == 2
    assert "chain, start, ticks, training, flood, soak" in capsys.readouterr().err


def test_a_ratio_says_how_many_times_better() -> None:
    assert Result("a", 2.0, "us", 10.0).ratio == 5.0
    assert Result("a", 10.0, "frames/s", 2.0).ratio == 5.0
    assert Result("a", 2.0, "us").ratio is None


@pytest.mark.parametrize(
    ("value", "bar", "met"),
    [
        (2.0, at_most(2.0), True), (2.1, at_most(2.0), False), (math.nan, at_most(2.0), False),
        (2.0, at_least(2.0), True), (1.9, at_least(2.0), False),
        (2.0, times_better(5), True), (2.1, times_better(5), False), (0.0, times_better(5), False),
        (20.0, times_better(1 / 2), True), (2.0, None, None),
    ],
)  # fmt: skip
def test_a_bar_is_met_or_not(value: float, bar: Bar | None, met: bool | None) -> None:
    assert Result("a", value, "us", 10.0, "b", bar).met is met


@pytest.mark.slow
def test_every_figure_of_the_chain_has_its_reference() -> None:
    results = list(chain(rounds=1, seconds=0.1))
    assert len({(result.name, result.reference_name) for result in results}) == len(results)
    assert sum(result.met is not None for result in results) == 7  # the issue's
    for result in results:
        assert result.ratio is not None
        assert 0 < result.ratio < math.inf


def test_the_weights_measured_with_flip_like_a_trained_models() -> None:
    assert 0.15 < flips(bundled_weights(150, 100), 300) < 0.4

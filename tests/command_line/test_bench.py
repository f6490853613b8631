import json
import math

import pytest

from improv.bench.chain import bundled_weights, chain, flips
from improv.bench.result import Result
from improv.bench.training import training
from improv.command_line import main


@pytest.mark.slow
def test_json_is_one_object_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "training", "--json"]) == 0
    said = capsys.readouterr()
    results = json.loads(said.out)["results"]
    assert len(results) >= 3
    for result in results:
        assert {"name", "value", "unit", "reference", "ratio"} <= set(result)
        assert result["value"] > 0
    assert "measuring" in said.err


def test_a_section_that_is_not_there_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["bench", "sandwich"])
    assert ended.value.code == 2
    assert "chain, start, ticks, training" in capsys.readouterr().err


def test_a_ratio_says_how_many_times_better() -> None:
    assert Result("a", 2.0, "us", 10.0).ratio == 5.0
    assert Result("a", 10.0, "frames/s", 2.0).ratio == 5.0
    assert Result("a", 2.0, "us").ratio is None


@pytest.mark.slow
def test_every_figure_of_the_chain_has_its_reference() -> None:
    results = list(chain(rounds=1, seconds=0.1))
    assert len({(result.name, result.reference_name) for result in results}) == len(results)
    for result in results:
        assert result.ratio is not None
        assert 0 < result.ratio < math.inf


def test_the_weights_measured_with_flip_like_a_trained_models() -> None:
    assert 0.15 < flips(bundled_weights(150, 100), 300) < 0.4


@pytest.mark.slow
def test_every_way_to_train_is_measured() -> None:
    assert {result.reference_name for result in training(rounds=1)} == {"torch eager, one subsequence"}

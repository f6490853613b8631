"""Where something does not run, the benchmark says so in the end, and what it has measured is not lost."""

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from improv.bench import chain, stage, training
from improv.bench.environment import environment
from improv.bench.parts import all_parts
from improv.bench.result import Result
from improv.bench.timing import percentile_in_turns
from improv.command_line import main
from improv.errors import ImprovError


class _Silent:
    """An engine that says nothing."""

    def __init__(self, ended: bool) -> None:
        self.ended = ended

    def new_reports(self) -> Iterator[object]:
        return iter(())


@pytest.mark.parametrize("ended", [True, False])
def test_nobody_waits_for_an_engine_that_does_not_play(ended: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "LOAD_SECONDS", 60.0 if ended else 0.02)
    engine: Any = _Silent(ended)
    with pytest.raises(ImprovError, match="does not play"):
        stage.wait_until_playing(engine)


def _fails() -> Iterator[Result]:
    yield Result("first", 1.0, "ms")
    raise ImprovError("no more")


def _works() -> Iterator[Result]:
    yield Result("second", 2.0, "ms")


def test_a_section_that_fails_costs_neither_its_first_figures_nor_the_next_section(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(chain, "chain", _fails)
    monkeypatch.setattr(training, "training", _works)
    monkeypatch.delattr(os, "getloadavg", raising=False)  # as on Windows
    assert main(["bench", "chain", "training", "--json"]) == 1
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert [result["name"] for result in told["results"]] == ["first", "second"]
    assert "load" not in told
    assert "chain: no more\n" in err
    assert err.endswith("improv: not measured to the end: chain\n")


def test_a_part_that_fails_is_told_in_the_end_too(capsys: pytest.CaptureFixture[str]) -> None:
    parts = all_parts({"idle": _fails, "busy": _works})
    assert [next(parts).name, next(parts).name] == ["first", "second"]
    with pytest.raises(ImprovError, match=r"the end: idle$"):
        next(parts)
    assert capsys.readouterr().err == "idle: no more\n"


def test_the_environment_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMPROV_A", "before")
    monkeypatch.delenv("IMPROV_B", raising=False)
    with environment({"IMPROV_A": "1", "IMPROV_B": "2"}):
        assert (os.environ["IMPROV_A"], os.environ["IMPROV_B"]) == ("1", "2")
    assert os.environ["IMPROV_A"] == "before"
    assert "IMPROV_B" not in os.environ


def test_a_percentile_is_over_all_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = iter([[1.0, 1.0, 1.0], [9.0, 9.0, 9.0]])
    monkeypatch.setattr("improv.bench.timing.durations", lambda *_: next(turns))
    assert percentile_in_turns({"it": lambda: None}, 2, 0.0, 99) == {"it": 9.0}

"""Changing the model while it plays, on a virtual clock."""

from pathlib import Path

import pytest
from studio import STARTED, Studio, sounding_after

from improv.live.jobs import Loaded
from improv.live.messages import Problem, SetModel
from improv.model import checkpoint
from improv.model.config import Config
from improv.model.sequence_model import SequenceModel


@pytest.fixture
def studio(tiny_model: Path, tmp_path: Path) -> Studio:
    return Studio(tiny_model, tmp_path / "take.mid", mode="solo")


def test_a_model_with_another_grid_can_be_swapped_in_while_playing(studio: Studio, tmp_path: Path) -> None:
    model = SequenceModel(Config(hidden=8, recurrent=8, grid=1.0))
    model.rbm.b_v.data.fill_(-3.0)
    other = tmp_path / "slow.pt"
    checkpoint.save(other, model)
    studio.at(3.0, SetModel(str(other)))
    studio.run(10)
    onsets = [at for at, _, velocity in studio.partner if velocity and at > 3.1]
    beats = [(at - STARTED) / 0.5 for at in onsets]
    assert len(onsets) > 5
    assert all(abs(beat - round(beat)) < 1e-6 for beat in beats)
    assert sounding_after(studio.partner) == set()


@pytest.mark.parametrize(("low", "n_pitches"), [(40, 88), (36, 49), (0, 128)])
def test_a_model_with_another_range_can_be_swapped_in_while_playing(
    studio: Studio, tmp_path: Path, low: int, n_pitches: int
) -> None:
    model = SequenceModel(Config(hidden=8, recurrent=8, normalised=False, low=low, n_pitches=n_pitches))
    model.rbm.b_v.data.fill_(-20.0)
    model.rbm.b_v.data[[10, n_pitches + 10]] = 20.0  # always strikes the pitch of column 10
    other = tmp_path / "other.pt"
    checkpoint.save(other, model)
    studio.at(3.0, SetModel(str(other)))
    studio.note(2.9, 60, until=5.0)
    studio.run(10)
    onsets = [(at, pitch) for at, pitch, velocity in studio.partner if velocity and at > 3.1]
    assert {pitch for _, pitch in onsets} == {low + 10}
    assert len(onsets) > 50
    assert sounding_after(studio.partner) == set()
    assert studio.status().missed == 0
    assert not [report for report in studio.reports if isinstance(report, Problem)]


def test_a_question_that_waited_while_a_model_of_another_range_was_loaded_is_no_problem(
    studio: Studio, tmp_path: Path
) -> None:
    model = SequenceModel(Config(hidden=8, recurrent=8, low=36, n_pitches=49))
    other = tmp_path / "other.pt"
    checkpoint.save(other, model)
    put = studio.clock.put
    studio.clock.put = lambda item, at=0.0: put(item, studio.clock.now() + 0.5 if isinstance(item, Loaded) else at)  # type: ignore[method-assign]
    studio.at(3.0, SetModel(str(other)))
    studio.run(6)
    assert not [report for report in studio.reports if isinstance(report, Problem)]
    assert any(at > 4 and velocity for at, _, velocity in studio.partner)


def test_a_bad_model_leaves_the_present_one_playing(studio: Studio, tmp_path: Path) -> None:
    bad = tmp_path / "bad.pt"
    bad.write_bytes(b"not a model")
    studio.at(3.0, SetModel(str(bad)))
    studio.run(6)
    assert any(isinstance(report, Problem) and not report.fatal for report in studio.reports)
    assert any(at > 4 and velocity for at, _, velocity in studio.partner)

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from small_music import GRID, rolls
from tiny_rbm import TinyRbm, states

from improv.errors import ImprovError
from improv.model.config import Config
from improv.model.sequence_model import SequenceModel
from improv.music.pianoroll import PianoRoll
from improv.train.evaluation import Effort, evaluate

CONFIG = Config(hidden=5, recurrent=4, core="gru", grid=GRID)
LITTLE = Effort(chains=4, betas=10, free_frames=20)


def random_model(config: Config = CONFIG) -> SequenceModel:
    torch.manual_seed(0)
    return SequenceModel(config).eval().requires_grad_(False)


def hand_made(*frames: list[int]) -> PianoRoll:
    """A roll of the model's pitches in which those at the given columns sound."""
    sounding = np.zeros((len(frames), 88), np.uint8)
    for row, columns in zip(sounding, frames, strict=True):
        row[columns] = 1
    return PianoRoll.from_sounding(sounding, GRID)


def figures(*pieces: PianoRoll, effort: Effort = LITTLE, model: SequenceModel | None = None) -> dict[str, Any]:
    return evaluate(model or random_model(), list(pieces), effort)


def test_the_figures_have_the_names_of_the_contract() -> None:
    result = figures(*rolls(2, bars=2))
    assert result.keys() >= {
        "log_likelihood", "log_likelihood_error", "estimator", "pseudo_log_likelihood", "accuracy", "copy_accuracy",
        "frames", "free_run",
    }  # fmt: skip
    names = {"notes_per_frame", "repeated", "silent", "struck", "struck_again", "polyphony", "pitch_classes"}
    assert result["free_run"].keys() == names | {f"{name}_data" for name in names}
    assert result["frames"] == 2 * 32
    assert result["log_likelihood"] < 0
    assert result["log_likelihood_error"] > 0
    assert "AIS" in result["estimator"]


@pytest.mark.parametrize("tied", [0, 4])
def test_nade_is_exact_and_beside_an_rbm_both_are_told(tied: int) -> None:
    piece = hand_made([40], [40, 44], [40, 44, 47], [40])
    alone = figures(piece, model=random_model(replace(CONFIG, estimator="nade", tied=tied)))
    assert (alone["estimator"], alone["log_likelihood_error"]) == ("exact", 0)
    assert "nade_log_likelihood" not in alone
    beside = figures(piece, model=random_model(replace(CONFIG, estimator="both", tied=tied)))
    assert beside["log_likelihood_error"] > 0
    assert beside["nade_log_likelihood"] < 0


def test_copying_is_right_where_notes_last() -> None:
    # frame by frame: both right; one right and one missed; one right and one too many; both wrong
    piece = hand_made([], [40, 44], [40, 44], [40, 44, 47], [44], [50])
    hits, union = 0 + 0 + 2 + 2 + 1 + 0, 0 + 2 + 2 + 3 + 3 + 2
    assert figures(piece)["copy_accuracy"] == pytest.approx(hits / union)


def test_copying_does_not_reach_from_one_piece_into_the_next() -> None:
    held = hand_made([40], [40], [40])
    assert figures(held, held)["copy_accuracy"] == pytest.approx(4 / 6)


def test_a_model_that_knows_the_piece_is_right_and_likely() -> None:
    model, piece = random_model(), hand_made(*[[40, 44]] * 16)
    for parameter in model.parameters():
        parameter.zero_()
    assert model.rbm is not None
    model.rbm.b_v.fill_(-20.0)
    model.rbm.b_v[[40, 44]] = 20.0
    result = figures(piece, model=model)
    assert result["accuracy"] == 1.0
    assert result["log_likelihood"] == pytest.approx(-2 * 20 / 16, abs=0.01), "only the first frame's onsets surprise"
    assert result["pseudo_log_likelihood"] == pytest.approx(-2 * 20 / 16, abs=0.01)


def test_likelihoods_are_those_of_enumeration() -> None:
    config = replace(CONFIG, low=60, n_pitches=8, onsets=False, bars=False)
    model = random_model(config)
    for parameter in model.parameters():
        parameter.normal_(std=0.8)
    sounding = np.random.default_rng(0).integers(0, 2, (20, 8)).astype(np.uint8)
    piece = PianoRoll.from_sounding(sounding, GRID, 60)
    v = torch.from_numpy(sounding).float()
    past = model.pasts(v.unsqueeze(0))[0].at(0)
    assert model.rbm is not None
    index = (v.long() << torch.arange(8)).sum(1)
    exact = [TinyRbm(model.rbm.W, b_v, b_h).visible().log()[i]
             for i, b_v, b_h in zip(index, *model.rbm.biases(past), strict=True)]  # fmt: skip
    result = figures(piece, effort=Effort(64, 200, 10), model=model)
    error = result["log_likelihood_error"]
    assert result["log_likelihood"] == pytest.approx(float(torch.stack(exact).mean()), abs=3 * error + 0.005)
    assert error < 0.05
    assert len(states(8)) == 256


def test_the_texture_of_the_data_is_set_beside_the_models_own() -> None:
    piece = hand_made([], [], [40, 44], [40, 44], [40, 44], [40])
    free = figures(piece)["free_run"]
    assert free["notes_per_frame_data"] == pytest.approx(7 / 6)
    assert free["repeated_data"] == pytest.approx(3 / 5)
    assert free["silent_data"] == pytest.approx(2 / 6)
    assert (free["struck_data"], free["struck_again_data"]) == (pytest.approx(2 / 7), 0)
    assert 0 <= free["silent"] <= 1
    assert free["notes_per_frame"] > 20, "without training half of all pitches sound"


def test_hammered_notes_are_counted() -> None:
    piece = hand_made([40, 44], [40, 44], [40, 44], [40])
    piece.struck[1, 40] = piece.struck[2, 40] = 1  # struck three times in a row
    free = figures(piece)["free_run"]
    assert free["struck_data"] == pytest.approx(4 / 7)
    assert free["struck_again_data"] == pytest.approx(2 / 4)
    piece.struck[1, 40] = 0  # struck, held, struck
    assert figures(piece)["free_run"]["struck_again_data"] == 0


def test_the_same_seed_gives_the_same_figures_and_progress_is_told() -> None:
    told: list[int] = []
    piece = rolls(1, bars=1)
    one = evaluate(random_model(), piece, LITTLE, seed=3, on_frames=told.append)
    assert one == evaluate(random_model(), piece, LITTLE, seed=3)
    assert one != evaluate(random_model(), piece, LITTLE, seed=4)
    assert sum(told) == one["frames"]


def test_data_of_other_pitches_is_refused() -> None:
    with pytest.raises(ImprovError, match="88 from 21"):
        figures(PianoRoll(np.ones((4, 2, 40), np.uint8), GRID, 40))

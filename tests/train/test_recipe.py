import numpy as np
import pytest

from improv.model.config import Config
from improv.model.sequence_model import SequenceModel
from improv.music.pianoroll import PianoRoll
from improv.train.batches import Batches
from improv.train.recipe import Recipe


@pytest.mark.parametrize("lengths", [[64] * 41, [96] * 40, [150] * 30, [1000] * 7, [5]])
def test_little_music_is_gone_through_often_enough_for_the_rbm_and_no_more(lengths: list[int]) -> None:
    recipe = Recipe(rbm_epochs=2, rbm_batch=4, batch=4, length=96).with_rbm_updates(400, lengths)
    pieces = [PianoRoll(np.zeros((length, 2, 88), np.uint8), 0.25) for length in lengths]
    batches = Batches(SequenceModel(Config(hidden=2, recurrent=2)), pieces, seed=0)
    updates = sum(len(batches.epoch(number, recipe)) for number in range(recipe.rbm_epochs))
    assert 0.85 * 400 <= updates <= 1.25 * 400


def test_much_music_is_gone_through_as_often_as_the_recipe_says() -> None:
    recipe = Recipe(rbm_epochs=2)
    assert recipe.with_rbm_updates(400, [2000] * 500) == recipe

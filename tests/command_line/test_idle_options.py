from dataclasses import replace

import pytest

from improv.command_line.idle_options import OF_FIRST_ORDER, OF_ITS_EPOCHS, OF_THE_RBM, idle_options
from improv.command_line.train_options import MODEL_OPTIONS, RECIPE_HELP
from improv.model.config import Config
from improv.train.recipe import Recipe

BOTH, NADE, RBM = Config(estimator="both"), Config(estimator="nade"), Config(estimator="rbm")
EVERYTHING = {*RECIPE_HELP, *MODEL_OPTIONS, "grid", "dt", "normalise", "rules"}
USED = Recipe(polish_epochs=1, rbm_epochs=1, pretrain_core=1)  # by which every option of its own changes something
HF = Recipe(optimiser="hf")


@pytest.mark.parametrize(
    ("model", "recipe", "idle"),
    [
        (BOTH, USED, set()),
        (RBM, Recipe(polish_epochs=1, pretrain_frames=1), {*OF_ITS_EPOCHS}),
        (NADE, Recipe(polish_epochs=1, pretrain_frames=1), {*OF_THE_RBM, *OF_ITS_EPOCHS}),
        (Config(estimator="nade", tied=4), USED, {*OF_THE_RBM, "hidden"}),
        (BOTH, Recipe(rbm_epochs=1), {"polish_rate", "pretrain_optimiser"}),
        (BOTH, Recipe(rbm_epochs=1, polish_epochs=1, pretrain_frames=1, pretrain_optimiser="hf"),
         {"pretrain_optimiser"}),
        (BOTH, Recipe(rbm_epochs=1, polish_epochs=1, pretrain_core=1, pretrain_optimiser="hf"), set()),
        (BOTH, Recipe(rbm_epochs=1, polish_epochs=1, pretrain_core=1, persistent=True), set()),
        (BOTH, Recipe(rbm_epochs=1, polish_epochs=1, pretrain_core=1, constant=1.0, rbm_constant=1.0),
         {"final", "decay"}),
        (BOTH, Recipe(rbm_epochs=1, polish_epochs=1, pretrain_core=1, constant=1.0), set()),
        (NADE, Recipe(polish_epochs=1, pretrain_core=1, constant=1.0),
         {"final", "decay", *OF_THE_RBM, *OF_ITS_EPOCHS}),
        (NADE, HF, {*OF_FIRST_ORDER, "polish_rate", "pretrain_optimiser", *OF_THE_RBM, *OF_ITS_EPOCHS}),
        (NADE, Recipe(optimiser="hf", polish_epochs=1, pretrain_core=1),
         {"polish_rate", *OF_THE_RBM, *OF_ITS_EPOCHS}),
        (NADE, Recipe(optimiser="hf", polish_epochs=1, pretrain_core=1, pretrain_optimiser="hf"),
         {*OF_FIRST_ORDER, "polish_rate", *OF_THE_RBM, *OF_ITS_EPOCHS}),
    ],
)  # fmt: skip
def test_what_changes_nothing_beside_the_model_and_the_recipe(model: Config, recipe: Recipe, idle: set[str]) -> None:
    assert set(idle_options(EVERYTHING, model, recipe, rolls=False, validated=True, own_valid=False)) == idle


def test_what_changes_nothing_beside_the_music() -> None:
    rolls = idle_options(EVERYTHING, BOTH, USED, rolls=True, validated=False, own_valid=False)
    assert set(rolls) == {"dt", "onsets", "patience", "valid_share"}, "not what the model is to do with other music"
    assert set(idle_options(EVERYTHING, BOTH, USED, rolls=False, validated=True, own_valid=True)) == {"valid_share"}
    none_held_out = replace(USED, valid_share=0.0)
    idle = idle_options(EVERYTHING, BOTH, none_held_out, rolls=False, validated=False, own_valid=False)
    assert set(idle) == {"patience"}, "it did what was asked of it"


def test_only_what_was_given_is_named() -> None:
    assert set(idle_options({"clip", "seed"}, NADE, HF, rolls=True, validated=False, own_valid=True)) == {"clip"}

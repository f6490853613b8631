from dataclasses import asdict, replace

from improv.model import checkpoint
from improv.resources import bundled_model
from improv.train.presets import PRESETS


def test_the_bundled_partner_is_what_its_preset_makes_in_the_epochs_of_its_card() -> None:
    model, record = checkpoint.load(bundled_model())
    preset = PRESETS["partner"]
    assert asdict(model.config) == asdict(model.config) | preset.model | preset.reading
    recipe = replace(preset.recipe, epochs=3, polish_epochs=1, rbm_epochs=1, rbm_constant=1.0)
    assert record["recipe"] == asdict(recipe), "as its card says"


def test_every_preset_is_a_recipe_for_its_model() -> None:
    for preset in PRESETS.values():
        preset.recipe.check(preset.model.get("estimator", "rbm"))

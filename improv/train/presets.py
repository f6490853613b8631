"""Whole training recipes, by name."""

from dataclasses import dataclass, field, replace
from typing import Any

from improv.music import published
from improv.train.recipe import Recipe


@dataclass(frozen=True)
class Preset:
    """A recipe with the model (fields of Config) and the reading (fields of Reading) that go with it.

    `rbm_updates` is how many its epochs of the RBM come to at least: little music is gone through more often, or the
    RBM would stay far behind its NADE. `published` is the monitor after some epochs, as others have published it for
    that recipe.
    """

    help: str
    recipe: Recipe
    model: dict[str, Any]
    reading: dict[str, Any]
    rbm_updates: int = 0
    published: dict[int, float] = field(default_factory=dict)


BENCHMARK = Recipe(batch=8, length=96, learning_rate=0.005, warm_up=0.01, weight_decay=0.001, average=0.99)
BENCHMARK_MODEL: dict[str, Any] = {"estimator": "nade", "tied": 48, "core": "gru", "recurrent": 128, "recall": True}
LONG = replace(BENCHMARK, length=192)
JSB = replace(BENCHMARK, epochs=24, batch=16, length=64, input_dropout=0.15, state_dropout=0.15)
NOTTINGHAM = replace(LONG, epochs=5)
CHORAL = {"temperature": 0.8}
BEATS = {"grid": 1.0, "rules": published.SAMPLED}
EIGHTHS = {"grid": 0.5, "rules": published.SAMPLED}
NOTTINGHAMS_EIGHTHS = {"grid": 0.5, "rules": published.NOTTINGHAM}
WITH_RBM: dict[str, Any] = {**BENCHMARK_MODEL, "estimator": "both", "hidden": 704}
AN_RBM_BESIDE = "the same with an RBM beside, for the likelihood of that"

PRESETS = {
    "partner": Preset(
        "a partner for jamming: sixteenths, struck and held notes told apart",
        replace(
            BENCHMARK,
            epochs=12,
            polish_epochs=2,
            rbm_epochs=2,
            cd_steps=25,
            average=0.998,
            weight_decay=0.0005,
            alone=0.4,
        ),
        {
            "estimator": "both",
            "tied": 40,
            "hidden": 704,
            "recurrent": 192,
            "core": "gru",
            "recall": True,
            "temperature": 0.8,
            "solo": 1.25,
        },
        {"grid": 0.25},
        rbm_updates=400,
    ),
    "jsb": Preset("for likelihood on the JSB Chorales' piano-rolls", JSB, BENCHMARK_MODEL | CHORAL, BEATS),
    "jsb-rbm": Preset(AN_RBM_BESIDE, replace(JSB, rbm_epochs=10, cd_steps=25, rbm_rate=0.03), WITH_RBM | CHORAL, BEATS),
    "nottingham": Preset(
        "for likelihood on Nottingham's piano-rolls", NOTTINGHAM, BENCHMARK_MODEL, NOTTINGHAMS_EIGHTHS
    ),
    "nottingham-rbm": Preset(
        AN_RBM_BESIDE, replace(NOTTINGHAM, rbm_epochs=3, cd_steps=25, rbm_rate=0.03), WITH_RBM, NOTTINGHAMS_EIGHTHS
    ),
    "musedata": Preset(
        "for likelihood on MuseData's piano-rolls",
        replace(LONG, epochs=6, polish_epochs=2),
        BENCHMARK_MODEL | {"tied": 64, "recurrent": 160, "temperature": 1.06},
        EIGHTHS,
    ),
    "piano-midi": Preset(
        "for likelihood on Piano-midi.de's piano-rolls",
        replace(LONG, epochs=14, transpose=6, input_dropout=0.15, state_dropout=0.2),
        BENCHMARK_MODEL | {"temperature": 1.06},
        EIGHTHS,
    ),
    "tutorial": Preset(
        "the reference configuration of the published tutorial: SGD, CD-15, frames of 0.3 s",
        Recipe(
            epochs=200,
            cd_steps=15,
            batch=1,
            length=100,
            optimiser="sgd",
            learning_rate=0.001,
            constant=1.0,
            clip=0.0,
            input_dropout=0.0,
            state_dropout=0.0,
            weight_decay=0.0,
            valid_share=0.0,
            base_rates=False,
        ),
        {"hidden": 150, "recurrent": 100, "core": "tanh", "onsets": False, "bars": False},
        {"dt": 0.3, "normalise": False, "rules": published.SAMPLED},
        published={1: -15.03, 200: -4.73},
    ),
}

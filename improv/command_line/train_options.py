"""The options of `improv train` that shape the model and the recipe, each named as the field it sets."""

import argparse
from dataclasses import fields

from improv.command_line.options import whole
from improv.model.config import CORES, ESTIMATORS, HEATS, MAX_TEMPERATURE, MIN_TEMPERATURE, SIZES, Config
from improv.train.presets import PRESETS
from improv.train.recipe import CHOICES, RANGES, Recipe

MODEL_HELP = {
    "estimator": "what models a frame given the frames before: an RBM, a NADE (exact, fast to train), or both, where "
    "NADE gives the RBM's chain its start",
    "hidden": "hidden units; with --tied shared out evenly among the pitches",
    "core": "the kind of memory",
    "recurrent": "units of the memory",
    "tied": "units of memory that every pitch has to itself, with weights that all pitches share",
    "onsets": "tell struck from held notes, by a second unit per pitch",
    "bars": "tell the memory the place in the bar; piano-rolls are taken to begin on a bar line",
    "recall": "tell the memory what followed when the music last went as it goes now",
    "learn_u0": "learn the memory's initial state, or leave it at zero",
    "temperature": "of the chain where the player's knob stands at 1, best where the partner, alone, repeats itself as "
    "much as the music",
    "solo": "times that temperature while nobody but the partner plays",
    "low": "the lowest pitch, as a MIDI number",
    "n_pitches": "number of pitches",
}
MODEL_RANGES = {**SIZES, **dict.fromkeys(HEATS, (MIN_TEMPERATURE, MAX_TEMPERATURE))}
MODEL_CHOICES = {"core": CORES, "estimator": ESTIMATORS}
MODEL_OPTIONS = tuple(MODEL_HELP)

RECIPE_HELP = {
    "epochs": "passes over the music",
    "patience": "epochs without a better validation, where there is music to validate on, after which it goes on to "
    "what comes next, or stops; 0 never does",
    "pretrain_frames": "epochs before, on single frames in random order",
    "pretrain_core": "epochs before, in which the memory alone predicts the next frame",
    "polish_epochs": "epochs afterwards without dropout, for a partner that has music enough to learn from",
    "rbm_epochs": "epochs after these in which the RBM alone learns, with --estimator both; left out, partner takes "
    "more where there is little music; 0 trains both at once",
    "cd_steps": "Gibbs steps of the negative sample (CD-k)",
    "persistent": "let the negative chains go on from update to update (PCD)",
    "elsewhere": "share of the negative chains that start not at the music but at silence or at the frame before; it "
    "keeps a partner that plays alone from freezing",
    "batch": "subsequences per update",
    "rbm_batch": "the same for the epochs of the RBM alone",
    "length": "frames of a subsequence at most",
    "optimiser": "how the weights are updated; hf is Hessian-free",
    "pretrain_optimiser": "the same for the epochs before; with hf, --pretrain-frames uses adamw",
    "momentum": "of sgd",
    "nesterov": "Nesterov's momentum for sgd",
    "learning_rate": "learning rate at its height",
    "polish_rate": "the same for the epochs without dropout",
    "rbm_rate": "the same for the epochs of the RBM alone",
    "warm_up": "share of the training in which learning rate and momentum rise",
    "constant": "share of the training after which the rate falls",
    "rbm_constant": "the same for the epochs of the RBM alone; at 1, beside --average, it does not grow too sharp",
    "final": "what it falls to, as a share of itself",
    "decay": "how it falls",
    "clip": "the gradient's norm at most; 0 does not limit it",
    "input_dropout": "share of a frame's units that the memory misses in training",
    "state_dropout": "share of the memory's units that the frames miss in training",
    "transpose": "move every subsequence up or down by as many semitones at most, at random",
    "alone": "share of the subsequences in which the memory hears the top voice alone at first, as of a player who "
    "begins alone",
    "weight_decay": "how strongly the weights are drawn to zero",
    "rbm_decay": "the same for the epochs of the RBM alone",
    "average": "how much of the averaged weights an update keeps; 0 keeps the last weights instead",
    "valid_share": "share of the pieces held out to choose the best model by, where --valid names no others",
    "base_rates": "start from how often each pitch sounds in the music, or from nothing",
}


def add_model(parser: argparse.ArgumentParser) -> None:
    """The sizes and the kind of the model: the fields of Config that are free."""
    group = parser.add_argument_group("the model")
    for name, text in MODEL_HELP.items():
        told = f"{_with_range(text, MODEL_RANGES.get(name))} ({_defaults(name, of_model=True)})"
        _add(group, name, told, getattr(Config, name), MODEL_CHOICES.get(name))


def add_recipe(parser: argparse.ArgumentParser) -> None:
    """How the model is trained: every field of the recipe."""
    group = parser.add_argument_group("the recipe")
    for item in fields(Recipe):
        name = item.name
        told = f"{_with_range(RECIPE_HELP[name], RANGES.get(name))} ({_defaults(name)})"
        _add(group, name, told, item.default, CHOICES.get(name))


def _with_range(text: str, limits: tuple[float, float] | None) -> str:
    return text if limits is None else f"{text}, {limits[0]:g} to {limits[1]:.10g}"


def _add(
    group: argparse._ArgumentGroup, name: str, text: str, default: object, choices: tuple[str, ...] | None
) -> None:
    """The option for the field `name`, of the type of its `default`."""
    option = f"--{name.replace('_', '-')}"
    if isinstance(default, bool):
        group.add_argument(option, action=argparse.BooleanOptionalAction, help=text)
    elif choices:
        group.add_argument(option, choices=choices, help=text)
    elif isinstance(default, int):
        kind = whole(*SIZES[name]) if name in SIZES else int
        group.add_argument(option, type=kind, metavar="N", help=text)
    else:
        group.add_argument(option, type=float, metavar="X", help=text)


def _defaults(name: str, of_model: bool = False) -> str:
    """What each preset says, as `default: partner 20, tutorial 200`, or the one value they share."""
    told = {
        preset: _plain(chosen.model.get(name, getattr(Config, name)) if of_model else getattr(chosen.recipe, name))
        for preset, chosen in PRESETS.items()
    }
    if len(set(told.values())) == 1:
        return f"default {told.popitem()[1]}"
    return "default: " + ", ".join(f"{preset} {value}" for preset, value in told.items())


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)

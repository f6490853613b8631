"""The options of `improv train` that shape the model and the recipe, each named as the field it sets."""

import argparse
from dataclasses import fields

from improv.command_line.options import whole
from improv.train.presets import PRESETS, Recipe

MODEL_OPTIONS = ("hidden", "recurrent", "core", "onsets", "bars", "learn_u0")
MAX_UNITS = 8192

RECIPE_HELP = {
    "epochs": "passes over the music, 1 to 100000",
    "cd_steps": "Gibbs steps of the negative sample (CD-k), 1 to 10000",
    "elsewhere": "share of the negative chains that start not at the music but at silence or at the frame before, "
    "0 to 1; it keeps a partner that plays alone from freezing",
    "batch": "subsequences per update, 1 to 4096",
    "length": "frames of a subsequence at most, 2 to 100000",
    "optimiser": "how the weights are updated",
    "learning_rate": "learning rate at the start, 0 to 10",
    "constant": "share of the training at that rate before it falls, 0 to 1",
    "final": "what it falls to, as a share of the rate at the start, 0 to 1",
    "clip": "the gradient's norm at most, 0 to 1000000; 0 does not limit it",
    "input_dropout": "share of a frame's units that the memory misses in training, 0 to 0.95",
    "state_dropout": "share of the memory's units that the frames miss in training, 0 to 0.95",
    "alone": "share of the subsequences in which the memory hears the top voice alone at first, as of a player who "
    "begins alone, 0 to 1",
    "weight_decay": "how strongly adamw draws the weights to zero, 0 to 1",
    "base_rates": "start from how often each pitch sounds in the music, or from nothing",
}


def add_model(parser: argparse.ArgumentParser) -> None:
    """The sizes and the kind of the model."""
    group = parser.add_argument_group("the model")
    units = whole(1, MAX_UNITS)
    group.add_argument("--hidden", type=units, metavar="N", help=_units("hidden units", "hidden"))
    group.add_argument("--recurrent", type=units, metavar="N", help=_units("units of the memory", "recurrent"))
    group.add_argument(
        "--core", choices=["tanh", "gru", "lstm"], help=f"the kind of memory ({_defaults('core', of_model=True)})"
    )
    group.add_argument(
        "--onsets", action=argparse.BooleanOptionalAction,
        help=f"tell struck from held notes, by a second unit per pitch ({_defaults('onsets', of_model=True)})",
    )  # fmt: skip
    group.add_argument(
        "--bars", action=argparse.BooleanOptionalAction,
        help=f"tell the memory the place in the bar ({_defaults('bars', of_model=True)})",
    )  # fmt: skip
    group.add_argument(
        "--learn-u0", action="store_true", default=None, help="learn the memory's initial state (default: it is zero)"
    )


def add_recipe(parser: argparse.ArgumentParser) -> None:
    """How the model is trained: every field of the recipe."""
    group = parser.add_argument_group("the recipe")
    for item in fields(Recipe):
        option = f"--{item.name.replace('_', '-')}"
        text = f"{RECIPE_HELP.get(item.name, item.name)} ({_defaults(item.name)})"
        if isinstance(item.default, bool):
            group.add_argument(option, action=argparse.BooleanOptionalAction, help=text)
        elif item.name == "optimiser":
            group.add_argument(option, choices=["sgd", "adamw"], help=text)
        else:
            metavar = "N" if isinstance(item.default, int) else "X"
            group.add_argument(option, type=type(item.default), metavar=metavar, help=text)


def _units(what: str, name: str) -> str:
    return f"{what}, 1 to {MAX_UNITS} ({_defaults(name, of_model=True)})"


def _defaults(name: str, of_model: bool = False) -> str:
    """What each preset says, as `default: partner 20, tutorial 200`, or the one value they share."""
    told = {
        preset: _plain(chosen.model[name] if of_model else getattr(chosen.recipe, name))
        for preset, chosen in PRESETS.items()
    }
    if len(set(told.values())) == 1:
        return f"default {told.popitem()[1]}"
    return "default: " + ", ".join(f"{preset} {value}" for preset, value in told.items())


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)

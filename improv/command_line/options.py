"""Options that several subcommands share, and the reading of files with a progress bar."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from improv.errors import ImprovError
from improv.knobs import KNOBS, Knob
from improv.train.corpus import Corpus, Reading, read_corpus


def add_json(parser: argparse.ArgumentParser) -> None:
    """--json"""
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")


def add_seed(parser: argparse.ArgumentParser, default: int | None = 0) -> None:
    """--seed"""
    parser.add_argument("--seed", type=_seed, default=default, help="makes the random choices repeatable")


def _seed(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**63:
        raise argparse.ArgumentTypeError(f"must lie in 0..2^63-1, got {text}")
    return value


def positive(text: str) -> float:
    """A number above 0, for argparse."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be above 0, got {text}")
    return value


def at_least_one(text: str) -> int:
    """A whole number from 1, for argparse."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {text}")
    return value


def add_grid(parser: argparse.ArgumentParser, default: float | None) -> None:
    """--grid, --dt, --normalise"""
    parser.add_argument("--grid", type=positive, default=default, metavar="BEATS", help="beats per frame")
    parser.add_argument(
        "--dt", type=positive, metavar="SECONDS", help="seconds per frame instead, as the tutorial has it"
    )
    parser.add_argument(
        "--normalise",
        action=argparse.BooleanOptionalAction,
        help="move every piece to C major or minor (the default)",
    )


def add_knobs(parser: argparse.ArgumentParser, *knobs: Knob) -> None:
    """An option for every knob, checked against its range."""
    for knob in knobs:
        text = f"{knob.help}; {knob.low:g}..{knob.high:g} {knob.unit}".rstrip() + f" (default {knob.default:g})"
        parser.add_argument(f"--{knob.name}", type=_value_of(knob), metavar=knob.unit.upper() or "X", help=text)


def _value_of(knob: Knob) -> Callable[[str], float]:
    def number(text: str) -> float:
        try:
            return knob.check(float(text))
        except ImprovError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return number


def knob_values(args: argparse.Namespace) -> dict[str, float]:
    """The value of every knob: as given, or its default."""
    given = {name: getattr(args, name, None) for name in KNOBS}
    return {name: KNOBS[name].default if value is None else value for name, value in given.items()}


def read_with_progress(paths: list[Path], reading: Reading, loose_split: str, cache: Path | None = None) -> Corpus:
    """`read_corpus` with a bar on standard error, and every file left out named there.

    Raises:
        ImprovError: see read_corpus.
    """
    with tqdm(desc="reading", unit=" files", leave=False) as bar:

        def on_file(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        corpus = read_corpus(paths, reading, loose_split, on_file, cache)
    for path, reason in corpus.skipped:
        print(f"left out {path}: {reason}", file=sys.stderr)
    return corpus

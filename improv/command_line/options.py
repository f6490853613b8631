"""Options that several subcommands share, and the reading of files with a progress bar."""

import argparse
import math
import os
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from improv.errors import ImprovError, UsageError
from improv.knobs import KNOBS, Knob
from improv.sampling.devices import DEVICES

LONGEST_NAME = 255 - 24  # bytes, so that there is room for the names of files that become it

Number = TypeVar("Number", int, float)


def add_json(parser: argparse.ArgumentParser) -> None:
    """--json"""
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object on standard output, all else on standard error"
    )


def add_device(parser: argparse.ArgumentParser, default: str) -> None:
    """--device"""
    parser.add_argument(
        "--device", choices=DEVICES, default=default,
        help="who runs the Gibbs chain: cpu, in compiled code; cuda, on a GPU; torch, plainly and slowly; auto, "
        f"whichever is measured to be the fastest here (default {default})",
    )  # fmt: skip


def add_seed(parser: argparse.ArgumentParser, default: int | None = 0) -> None:
    """--seed"""
    told = "another every time" if default is None else default
    parser.add_argument(
        "--seed", type=whole(0, 2**63 - 1), default=default, metavar="N",
        help=f"a whole number from 0: the same one makes the same random choices (default {told})",
    )  # fmt: skip


def whole(low: int, high: int) -> Callable[[str], int]:
    """Reads a whole number in low..high, for argparse."""
    return _within(int, "a whole number", low, high)


def real(low: float, high: float) -> Callable[[str], float]:
    """Reads a number in low..high, for argparse."""
    return _within(float, "a number", low, high)


def _within(kind: Callable[[str], Number], noun: str, low: Number, high: Number) -> Callable[[str], Number]:
    def read(text: str) -> Number:
        with suppress(ValueError):
            value = kind(text)
            if low <= value <= high:  # NaN is not
                return value
        raise argparse.ArgumentTypeError(f"must be {noun} in {low}..{high}, got {text}")

    return read


def positive(text: str) -> float:
    """Reads a number above 0, for argparse."""
    with suppress(ValueError):
        value = float(text)
        if 0 < value < math.inf:
            return value
    raise argparse.ArgumentTypeError(f"must be a number above 0, got {text}")


def key_name(text: str) -> str:
    """Reads the name of a key, for argparse."""
    from improv.music.key import parse_key

    try:
        parse_key(text)
    except ImprovError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def midi_file(text: str) -> Path:
    """Reads the path of a MIDI file that can be written, or of a device, for argparse."""
    from improv.music.midifile import SUFFIXES

    path = Path(text)
    if path.suffix.lower() not in SUFFIXES and not text.startswith("/dev/"):
        raise argparse.ArgumentTypeError(f"it becomes a MIDI file: name it as in song.mid, got {text}")
    return path


def picture(text: str) -> Path:
    """Reads the path of a picture that can be drawn, for argparse."""
    from improv.music.plot import SUFFIXES

    path = Path(text)
    if path.suffix.lower() not in SUFFIXES:
        raise argparse.ArgumentTypeError(
            f"the name must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}, got {text}"
        )
    return path


def add_cache(parser: argparse.ArgumentParser) -> None:
    """--cache"""
    parser.add_argument(
        "--cache", type=Path, metavar="FOLDER",
        help="where what was read of many or long files is kept, to be read from there next time (default: the user's "
        "cache folder)",
    )  # fmt: skip


def add_grid(parser: argparse.ArgumentParser) -> None:
    """--grid, --dt, --normalise, --rules"""
    from improv.music.published import RULES

    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--grid", type=real(0.001, 64), metavar="BEATS",
        help="length of a frame in beats, 0.001 to 64: 0.25 is a sixteenth (default: the preset's)",
    )  # fmt: skip
    length.add_argument(
        "--dt", type=real(0.001, 64), metavar="SECONDS",
        help="length of a frame in seconds instead, 0.001 to 64, as the tutorial has it (default: the preset's)",
    )  # fmt: skip
    parser.add_argument(
        "--normalise", action=argparse.BooleanOptionalAction,
        help="move every piece to C major or C minor, or leave its key (default: the preset's)",
    )  # fmt: skip
    parser.add_argument(
        "--rules", choices=RULES,
        help="how notes become frames: musical loses none and strikes repeated ones again; sampled takes what sounds "
        "as a frame begins, as the published tutorial (--dt 0.3) and JSB Chorales (--grid 1) do; nottingham is that "
        "benchmark's way (--grid 0.5) (default: the preset's)",
    )  # fmt: skip


def add_knob(parser: argparse.ArgumentParser, knob: Knob, default: str = "") -> None:
    """An option for the knob, checked against its range; `default` tells of one that depends on other things."""
    text = f"{knob.help}; {knob.range} (default {default or f'{knob.default:g}'})"
    parser.add_argument(f"--{knob.name}", type=_value_of(knob), metavar=knob.unit.upper() or "X", help=text)


def _value_of(knob: Knob) -> Callable[[str], float]:
    def number(text: str) -> float:
        try:
            return knob.check(float(text))
        except ImprovError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return number


def check_apart(reads: Iterable[Path | None], writes: Iterable[Path | None]) -> None:
    """Raises UsageError where a file that is to be written is one that is read, or is written twice, or is a folder."""
    taken = {path.resolve() for path in reads if path is not None}
    for path in writes:
        if path is None:
            continue
        if path.is_dir():
            raise UsageError(f"{path} is a folder: name a file in it")
        if path.resolve() in taken:
            raise UsageError(f"{path} is named twice: what is written needs a file of its own")
        taken.add(path.resolve())


def check_places(writes: Iterable[Path | None]) -> None:
    """Raises ImprovError where the folder of a file that is to be written is not there, or takes no file."""
    for path in writes:
        if path is None or (path.exists() and not path.is_file()):  # a device, as /dev/stdout
            continue
        if len(os.fsencode(path.name)) > LONGEST_NAME:
            raise ImprovError(f"{path}: File name too long")
        try:
            with tempfile.TemporaryFile(dir=path.parent):  # only trying tells what permissions and systems allow
                pass
        except OSError as error:
            reason = error.strerror or error
            raise ImprovError(
                f"cannot write in the folder {path.parent} ({reason}): make it, or name another"
            ) from error


def knob_values(args: argparse.Namespace) -> dict[str, float]:
    """The value of every knob: as given, or its default."""
    given = {name: getattr(args, name, None) for name in KNOBS}
    return {name: KNOBS[name].default if value is None else value for name, value in given.items()}

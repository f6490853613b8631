"""improv bench: how fast and how exact improv is on this machine."""

import argparse
import importlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict

from improv.bench.result import Result
from improv.command_line.options import add_json

SECTIONS = {
    "chain": "the live frame on one thread, beside torch, numpy and numba; on a GPU where there is one",
    "start": "from the start to the first frame",
    "ticks": "how late the partner's notes are, how soon it answers, drift",
    "training": "frames a second of every way to train",
}
"""Each is the function of that name in the file of that name in improv.bench."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    told = "; ".join(f"{name}: {meaning}" for name, meaning in SECTIONS.items())
    parser.add_argument(
        "sections",
        nargs="*",
        metavar="SECTION",
        type=_section,
        help=f"what to measure (default: all). {told}",
    )
    add_json(parser)


def _section(text: str) -> str:
    if text not in SECTIONS:
        raise argparse.ArgumentTypeError(f"there is no section {text}: choose of {', '.join(SECTIONS)}")
    return text


def run(args: argparse.Namespace) -> int:
    """Measures one section after another, and prints each figure as soon as it is had, or all as JSON."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None  # Windows does not tell it
    results = []
    try:
        for name in args.sections or SECTIONS:
            print(f"measuring: {SECTIONS[name]}", file=sys.stderr)
            section: Callable[[], Iterator[Result]] = getattr(importlib.import_module(f"improv.bench.{name}"), name)
            for result in section():
                results.append(asdict(result) | {"ratio": result.ratio})
                if not args.json:
                    print(_line(result), flush=True)
    finally:  # what is measured is not lost where a section fails
        if args.json:
            print(json.dumps({"results": results} | ({} if load is None else {"load": load})))
    if load is not None and not args.json:
        print(f"load of the machine before: {load:.1f}", file=sys.stderr)
    return 0


def _line(result: Result) -> str:
    line = f"{result.name:<92} {result.value:>10.4g} {result.unit:<9}"
    if result.reference is None or result.ratio is None:
        return line.rstrip()
    return f"{line} {result.reference:>10.4g}  {result.ratio:>7.3g}x  {result.reference_name}"

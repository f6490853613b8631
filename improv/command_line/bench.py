"""improv bench: how fast and how exact improv is on this machine."""

import argparse
import importlib
import json
import os
import sys
from collections.abc import Iterator
from functools import partial

from improv.bench.parts import all_parts
from improv.bench.result import Result, shown
from improv.command_line.options import add_json

SECTIONS = {
    "chain": "the live frame on one thread, beside torch, numpy and numba; on a GPU where there is one (1 minute)",
    "start": "from the start to the first frame (1 minute)",
    "ticks": "how late the partner's notes are, how soon it answers, drift (7 minutes)",
    "training": "frames a second of every way to train (1 minute)",
    "flood": "10,000 events a second and sysex for a minute: beat, memory, take (1.5 minutes)",
    "soak": "whether anything piles up in eight simulated hours and ten real minutes (25 minutes)",
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
    """Measures one section after another, and prints each figure as soon as it is had, or all as JSON.

    Raises:
        ImprovError: a section has failed; what the others gave is printed all the same.
    """
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None  # Windows does not tell it
    results = []
    try:
        for result in all_parts({name: partial(_measure, name) for name in args.sections or SECTIONS}):
            results.append(result.to_dict())
            if not args.json:
                print(_line(result), flush=True)
    finally:
        if args.json:
            print(json.dumps({"results": results} | ({} if load is None else {"load": load})))
        elif load is not None:
            print(f"load of the machine before: {load:.1f}", file=sys.stderr)
    return 0


def _measure(name: str) -> Iterator[Result]:
    print(f"measuring: {SECTIONS[name]}", file=sys.stderr, flush=True)
    yield from getattr(importlib.import_module(f"improv.bench.{name}"), name)()


def _line(result: Result) -> str:
    line = f"{result.name:<112} {shown(result.value):>10} {result.unit:<9}"
    if result.reference is not None and result.ratio is not None:
        line += f" {shown(result.reference):>10}  {result.ratio:>7.3g}x  {result.reference_name}"
    if result.bar is not None:
        line += f"  [{result.bar}: {'met' if result.met else 'MISSED'}]"
    return line.rstrip()

"""improv ports: what can be connected, by backend."""

import argparse
import json
import sys
from dataclasses import asdict
from typing import Any

from improv.command_line.options import add_json
from improv.errors import ImprovError
from improv.live.outputs import SYNTH

VIRTUAL_INPUT = "virtual (improv's own port `improv in`: other programs send notes to it)"
VIRTUAL_OUTPUT = "virtual (improv's own port `improv out`: other programs take the partner's notes from it)"
SYNTH_OUTPUT = f"{SYNTH} (improv's own instrument: the partner is heard at once)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Lists the ports, and `synth` where sound can be played; finding none is an answer, not a failure."""
    found: dict[str, Any] = {"backend": None, "inputs": [], "outputs": [], "virtual": False}
    try:
        from improv.live.ports import list_ports

        found = asdict(list_ports())
        del found["cables"]  # of ports of our own, which are not made for this
    except ImprovError as error:
        print(f"improv: {error}", file=sys.stderr)
    if _can_sound():
        found["outputs"].append(SYNTH)
    print(json.dumps(found) if args.json else _table(found))
    return 0


def _can_sound() -> bool:
    from improv.live.synth import open_synth

    try:
        open_synth(lambda _problem: None).close()
    except ImprovError:
        return False
    return True


def _table(found: dict[str, Any]) -> str:
    inputs = [VIRTUAL_INPUT] * found["virtual"] + found["inputs"]
    outputs = [SYNTH_OUTPUT if name == SYNTH else name for name in found["outputs"]]
    outputs = [VIRTUAL_OUTPUT] * found["virtual"] + outputs
    lines = [found["backend"] or "no MIDI system"]
    for title, names in (("  --input", inputs), ("  --output", outputs)):
        lines += [title, *(f"    {name}" for name in names or ["none"])]
    return "\n".join(lines)

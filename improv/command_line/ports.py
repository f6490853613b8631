"""improv ports: what can be connected, by backend."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from improv.command_line.options import add_json
from improv.errors import ImprovError

if TYPE_CHECKING:
    from improv.live.ports import PortList


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Lists the ports; finding none is an answer, not a failure."""
    try:
        from improv.live.ports import list_ports

        ports = list_ports()
    except ImprovError as error:
        print(f"improv: {error}", file=sys.stderr)
        if args.json:
            print(json.dumps({"backend": None, "inputs": [], "outputs": [], "virtual": False}))
        return 0
    print(json.dumps(asdict(ports)) if args.json else _table(ports))
    return 0


def _table(ports: PortList) -> str:
    own = ["virtual (a port of improv's own, which other programs connect to)"] if ports.virtual else []
    lines = [ports.backend]
    for title, names in (("  --input", ports.inputs), ("  --output", ports.outputs)):
        lines += [title, *(f"    {name}" for name in [*own, *names] or ["none"])]
    return "\n".join(lines)

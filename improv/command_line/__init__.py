"""The command line: one small module per subcommand, imported only when it runs."""

import argparse
import importlib
import sys
from collections.abc import Sequence

from improv import __version__
from improv.errors import ImprovError

SUBCOMMANDS = {
    "train": "train a partner on your MIDI files",
    "eval": "how good a model is, in figures",
    "generate": "write a MIDI file: start from nothing, or continue a prompt",
    "play": "jam: listen to a keyboard and answer",
    "ports": "list the MIDI ports that can be connected",
}
_MODULES = {"eval": "evaluate"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one subcommand; returns the exit status: 0 success, 1 a failure told in one line, 2 wrong usage."""
    try:
        args = _parse(sys.argv[1:] if arguments is None else arguments)
        return int(args.run(args))
    except ImprovError as error:
        print(f"improv: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of our output has left, as `head` does
        sys.stderr.close()
        return 1
    except KeyboardInterrupt:
        return 130


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="improv", description="A real-time musical partner.")
    parser.add_argument("--version", action="version", version=f"improv {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    named = next((word for word in arguments if not word.startswith("-")), None)
    for name, summary in SUBCOMMANDS.items():
        subparser = commands.add_parser(name, help=summary, description=summary.capitalize() + ".")
        if name == named:  # the others are not asked for their options: `improv --help` answers at once
            module = importlib.import_module(f"improv.command_line.{_MODULES.get(name, name)}")
            module.add_arguments(subparser)
            subparser.set_defaults(run=module.run)
    return parser.parse_args(arguments)

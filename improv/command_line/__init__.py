"""The command line: one small module per subcommand, imported only when it runs."""

import argparse
import errno
import importlib
import sys
from collections.abc import Sequence
from typing import NoReturn

from improv import __version__
from improv.errors import ImprovError, UsageError

SUBCOMMANDS = {
    "train": "train a partner on your MIDI files",
    "eval": "how good a model is, in figures",
    "generate": "write a MIDI file: start from nothing, or continue a prompt",
    "play": "jam: listen to a keyboard and answer",
    "ports": "list the ports that can be connected",
    "bench": "how fast and how exact improv is on this machine",
}
_MODULES = {"eval": "evaluate"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one subcommand; returns the exit status: 0 success, 1 a failure, 2 wrong usage, both told in one line.

    Raises:
        SystemExit: with that status, where the parser ends the program: after help, or on wrong usage.
    """
    try:
        args = _parse(sys.argv[1:] if arguments is None else arguments)
        return int(args.run(args))
    except ImprovError as error:
        print(f"improv: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except BrokenPipeError:  # the reader of our output has left, as `head` does
        sys.stderr.close()
        return 1
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        print(f"improv: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("improv: interrupted", file=sys.stderr)
        return 1


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"improv: {message} (usage: {self.prog} --help)\n")


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(prog="improv", description="A real-time musical partner.")
    parser.add_argument("--version", action="version", version=f"improv {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    named = next((word for word in arguments if not word.startswith("-")), None)
    for name, summary in SUBCOMMANDS.items():
        subparser = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if name == named:  # the others are not asked for their options: `improv --help` answers at once
            module = importlib.import_module(f"improv.command_line.{_MODULES.get(name, name)}")
            module.add_arguments(subparser)
            subparser.set_defaults(run=module.run)
    return parser.parse_args(arguments)

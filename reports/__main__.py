"""`python -m reports COMMAND`: the commands are the files of reports/commands/."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from types import ModuleType

from access.errors import AcceptanceError
from access.terminal import say
from reports import commands

USAGE_ERROR = 64
"""EX_USAGE of sysexits.h: what was given cannot be used."""


def parser_of(found: dict[str, ModuleType]) -> argparse.ArgumentParser:
    """A subcommand for each file."""
    parser = argparse.ArgumentParser(prog="python -m reports", description="Read what runs of the acceptance left.")
    choices = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in found.items():
        module.add_arguments(choices.add_parser(name, help=module.HELP, description=module.HELP))
    return parser


def main(words: list[str]) -> int:
    """Run one command; its exit code, or 64 where the input cannot be used."""
    names = sorted(module.name for module in pkgutil.iter_modules(commands.__path__))
    found = {name: importlib.import_module(f"{commands.__name__}.{name}") for name in names}
    arguments = parser_of(found).parse_args(words)
    try:
        return int(found[arguments.command].run(arguments))
    except AcceptanceError as error:
        say(error, sys.stderr)
        return USAGE_ERROR


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

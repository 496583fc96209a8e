"""`python -m reports schema`: print the JSON schema of the records."""

from __future__ import annotations

import argparse

HELP = "print the JSON schema of one line of a run's records"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None."""


def run(arguments: argparse.Namespace) -> int:
    """Print it."""
    from reports.schema import as_text

    print(as_text(), end="")
    return 0

"""`python -m reports junit RUN`: a run as JUnit XML, also one that was cut off."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from reports.junit import junit
from reports.run import read, write_atomically
from reports.run_names import find

HELP = "write a run as JUnit XML; a run that was killed has none of its own"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which, and where to."""
    parser.add_argument("run", metavar="RUN", help="a run's directory or id, or a cloud for its latest run")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: standard output")


def run(arguments: argparse.Namespace) -> int:
    """Write it."""
    content = junit(read(find(arguments.run)))
    if arguments.out is None:
        sys.stdout.buffer.write(content)
    else:
        write_atomically(arguments.out, content)
    return 0

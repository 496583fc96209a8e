"""`python -m reports export RUN --format ctrf|prometheus`: a run for other programs, also one that was cut off."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from reports.ctrf import ctrf
from reports.junit import junit
from reports.prometheus import prometheus
from reports.run import read, write_atomically
from reports.run_names import find

HELP = "write a run for other programs: JUnit XML, CTRF JSON, a text file for Prometheus"
FORMATS = {"junit": junit, "ctrf": ctrf, "prometheus": prometheus}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which, how, and where to."""
    parser.add_argument("run", metavar="RUN", help="a run's directory or id, or a cloud for its latest run")
    parser.add_argument("--format", choices=sorted(FORMATS), required=True)
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: standard output")


def run(arguments: argparse.Namespace) -> int:
    """Write it."""
    content = FORMATS[arguments.format](read(find(arguments.run)))
    if arguments.out is None:
        sys.stdout.buffer.write(content)
    else:
        write_atomically(arguments.out, content)
    return 0

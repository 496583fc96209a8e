"""`python -m reports verify DIR --public-key FILE`: is a certificate what was signed?"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from access.terminal import say
from reports.certification.attestation import Forged
from reports.certification.certificate import FACTS, read_file, verify
from reports.certification.keys import public_key

HELP = "tell whether a certificate's files are those that the key signed"
GENUINE, FORGED = 0, 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What, against which key."""
    parser.add_argument("directory", type=Path, metavar="DIR")
    parser.add_argument("--public-key", type=Path, required=True, metavar="FILE", help="PEM, from whom you trust")


def run(arguments: argparse.Namespace) -> int:
    """0: each byte is as it was signed. 1: what is not."""
    found, mistakes = verify(arguments.directory, public_key(arguments.public_key))
    for mistake in mistakes:
        say(f"NOT GENUINE  {mistake}")
    if found is None or mistakes:
        return FORGED
    try:
        facts = json.loads(read_file(arguments.directory / FACTS))
        date, rehearsal = str(facts["date"]), str(facts.get("rehearsal", ""))
    except (OSError, Forged, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        say(f"NOT GENUINE  {FACTS}: it was signed, and it is no certificate: {error!r}")
        return FORGED
    say(f"genuine: {len(found['subject'])} files as signed, {found['predicate']['result']}, {date}")
    if rehearsal:
        say(rehearsal)
    return GENUINE

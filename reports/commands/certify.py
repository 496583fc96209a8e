"""`python -m reports certify RUN --key REF`: the signed certification report of a run."""

from __future__ import annotations

import argparse
import datetime
import json
from pathlib import Path
from typing import Any

from access.errors import InputError
from access.redaction import without_secrets
from access.terminal import say
from reports.certification import deviations
from reports.certification.certificate import FACTS, CannotCertify, content_of, read_file, refuse, verify, write
from reports.certification.keys import signer
from reports.certification.requirements import Decision, catalogue
from reports.commands.page import past
from reports.page import write as write_page
from reports.page_names import CERTIFICATE, PAGE
from reports.run import Run, read
from reports.run_names import find

HELP = "write the hardware certification report of a run, signed"
CERTIFIED, FAILED, NO_GROUND = 0, 1, 69


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What, signed by which key, where to."""
    parser.add_argument("run", metavar="RUN", help="a run's directory or id, or a cloud for its latest run")
    parser.add_argument("--key", required=True, metavar="REF", help="private ed25519 key: a file, or env:VARIABLE")
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: certificate/ in the run's directory")
    parser.add_argument("--deviations", type=Path, metavar="FILE", help="YAML list of waived requirements")
    parser.add_argument(
        "--previous", type=Path, metavar="DIR", help="certificate before, of the same key: say what changed"
    )
    parser.add_argument("--tester", default="", metavar="NAME", help="who tested, for the certificate")
    parser.add_argument("--place", default="", metavar="TEXT", help="where it was tested, for the certificate")
    parser.add_argument(
        "--rehearsal", action="store_true", help="for simulated hardware: not a certificate, and says so"
    )


def run(arguments: argparse.Namespace) -> int:
    """0: passed. 1: failed, the report says why. 69: the run is no ground for either."""
    path = find(arguments.run)
    done = read(path)
    try:
        refuse(done, rehearsal=arguments.rehearsal)
    except CannotCertify as error:
        say(f"not certified: {error}")
        return NO_GROUND
    key = signer(arguments.key)
    waived = _deviations(arguments.deviations, done)
    previous = _previous(arguments.previous, key.public_key, done) if arguments.previous else None
    content = content_of(
        done,
        waived,
        rehearsal=arguments.rehearsal,
        previous=previous,
        tester=without_secrets(arguments.tester),
        place=without_secrets(arguments.place),
    )
    directory = arguments.out or (path if path.is_dir() else path.parent) / CERTIFICATE
    write(directory, content, key)
    _link(path)
    for each in content.judged:
        if each.is_open:
            say(f"{each.requirement.id} {each.status}{', waived' if each.deviation else ''}: {'; '.join(each.reasons)}")
    say(f"{content.verdict}: {directory}, number {content.number}, signed by {key.public_key.keyid}")
    return FAILED if content.decision in (Decision.FAIL, Decision.NOT_COMPLETE) else CERTIFIED


def _link(run_path: Path) -> None:
    """The run's page is written again where there is one: it links to the certificate beside it."""
    folder = run_path if run_path.is_dir() else run_path.parent
    if (folder / CERTIFICATE).is_dir() and (folder / PAGE).is_file():
        write_page(run_path, past_of=past)


def _deviations(path: Path | None, done: Run) -> tuple[deviations.Deviation, ...]:
    if path is None or done.end is None:
        return ()
    date = moment_of(done.header.started).date()
    return deviations.read(path, {each.id: each.blocker for each in catalogue()}, date)


def _previous(directory: Path, key: Any, done: Run) -> tuple[str, dict[str, Any]]:
    """The certificate before, which has to be genuine, one of the same kind of hardware, and from before.

    Raises:
        InputError: which of these it is not.
    """
    _, mistakes = verify(directory, key)
    if mistakes:
        raise InputError(f"the certificate before, {directory}, is not as this key signed it: {'; '.join(mistakes)}")
    found: dict[str, Any] = json.loads(read_file(directory / FACTS))
    if ("rehearsal" in found) != done.simulated:
        kinds = ("a rehearsal", "a certificate of real hardware")
        was, now = kinds if "rehearsal" in found else reversed(kinds)
        raise InputError(f"the certificate before, {directory}, is {was}, and this will be {now}")
    if moment_of(found["date"]) >= moment_of(done.header.started):
        raise InputError(f"the certificate before, {directory}, is of {found['date']}: this run started before that")
    return directory.name, found


def moment_of(text: str) -> datetime.datetime:
    """ISO 8601 with its zone.

    Raises:
        InputError: it is none.
    """
    try:
        found = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{text!r} is no moment in ISO 8601") from None
    if found.tzinfo is None:
        raise InputError(f"{text!r} has no time zone")
    return found

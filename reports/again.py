"""The command that makes one check once more, together with what it rests on."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from judging.records import CheckRecord

OWN = ("run.", "history.")
"""Checks of the run itself: no test makes them alone."""


def name_of(check: CheckRecord) -> str:
    """As `--check` takes it, and as page, JUnit and terminal name it: e.g. host.iommu.cmdline[compute-0]."""
    return f"{check.id}[{check.place}]" if check.place else check.id


def command_of(cloud: str, check: CheckRecord) -> str:
    """E.g. pytest suites/ --cloud mine --check 'host.iommu.cmdline[compute-0]'; "" where no test makes it alone."""
    if check.id.startswith(OWN) or "::" not in check.test:
        return ""
    return _command(cloud, name_of(check))


def command_of_cause(cloud: str, check: str, places: Sequence[str]) -> str:
    """The same for a root cause, at its place or at all places."""
    if check.startswith(OWN):
        return ""
    return _command(cloud, f"{check}[{places[0]}]" if len(places) == 1 else check)


def _command(cloud: str, name: str) -> str:
    return shlex.join(["pytest", "suites/", "--cloud", cloud, "--check", name])

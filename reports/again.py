"""The command that makes one check once more, together with what it rests on."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from judging.records import CheckRecord, check_name

OWN = ("run.", "history.")
"""Checks of the run itself: no test makes them alone."""


def command_of(cloud: str, check: CheckRecord) -> str:
    """E.g. pytest suites/ --cloud mine --check 'host.iommu.cmdline[compute-0]'; "" where no test makes it alone."""
    if check.id.startswith(OWN) or "::" not in check.test:
        return ""
    return _command(cloud, check_name(check.id, check.place))


def command_of_cause(cloud: str, check: str, places: Sequence[str]) -> str:
    """The same for a root cause, at its place or at all places."""
    if check.startswith(OWN):
        return ""
    return _command(cloud, check_name(check, places[0] if len(places) == 1 else ""))


def _command(cloud: str, name: str) -> str:
    return shlex.join(["pytest", "suites/", "--cloud", cloud, "--check", name])

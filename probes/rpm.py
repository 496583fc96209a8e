"""rpm -q and rpm -qa: which packages are installed, in which version."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from access.errors import ParseError, ToolFailure
from access.host import Host, failure_of
from probes.package_answer import PackageAnswer
from probes.reading import transcript_of

TOOL = "rpm -q"
PACKAGE = re.compile(
    r"\s*([A-Za-z0-9_][A-Za-z0-9_+.~-]{0,200}?)-(?:([0-9]{1,4}):)?([A-Za-z0-9_+.~^]{1,120})-([A-Za-z0-9_+.~^]{1,120})"
    r"\.(noarch|x86_64|i[3-6]86|aarch64|ppc64le|s390x|src|\(none\))"
)
KEY = re.compile(r"\s*gpg-pubkey-([0-9a-f]{8,40})-([0-9a-f]{8})(?:\.\(none\))?")
MISSING = re.compile(r"\s*package (\S{1,200}) is not installed")
FAILED = re.compile(r"\s*(?:error|rpm|rpmdb): ")


@dataclass(frozen=True)
class Package:
    """One installed package."""

    name: str
    epoch: int | None
    version: str
    release: str
    architecture: str | None
    """None for a key, which rpm lists among packages."""


def parse(text: str) -> PackageAnswer[Package]:
    """Read lines NAME-[EPOCH:]VERSION-RELEASE.ARCHITECTURE, and those of packages that are not there.

    Raises:
        ToolFailure: rpm says that it failed.
        ParseError: empty, or a line of another shape.
    """
    packages: dict[Package, None] = {}
    missing: list[str] = []
    for number, line in enumerate(transcript_of(TOOL, text, "rpm"), start=1):
        if not line.strip():
            continue
        if match := MISSING.fullmatch(line):
            missing.append(match[1])
            continue
        if FAILED.match(line):
            raise ToolFailure(TOOL, "failed", "it says that it failed", line=line, line_number=number)
        package = _package(line)
        if package is None:
            raise ParseError(TOOL, "not a package, or cut off", line=line, line_number=number)
        packages[package] = None
    return PackageAnswer(tuple(packages), tuple(missing))


def _package(line: str) -> Package | None:
    if match := KEY.fullmatch(line):
        return Package("gpg-pubkey", None, match[1], match[2], None)
    match = PACKAGE.fullmatch(line)
    if match is None:
        return None
    epoch = int(match[2]) if match[2] else None
    return Package(match[1], epoch, match[3], match[4], None if match[5] == "(none)" else match[5])


def read(host: Host, *names: str) -> PackageAnswer[Package]:
    """Packages of `host`, or those of `names` (patterns are allowed).

    Raises:
        ToolMissing: no rpm on this system.
        CommandError: rpm failed; a package that is not there is no failure.
    """
    command = f"rpm -q {' '.join(shlex.quote(name) for name in names)}" if names else "rpm -qa"
    output = host.run(command)
    if output.exit_code == 0 or (output.exit_code <= len(names) and MISSING.search(output.stdout)):
        return parse(output.stdout)
    raise failure_of(output, "rpm did not answer")

"""dpkg -l and dpkg-query -W: which packages are installed, in which version."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from access.errors import ParseError, ToolFailure
from access.host import Host, failure_of
from probes.package_answer import PackageAnswer
from probes.reading import transcript_of

TOOL = "dpkg -l"
FORMAT = "${db:Status-Abbrev}\\t${binary:Package}\\t${Version}\\t${Architecture}\\n"
NAME = r"([a-z0-9][a-z0-9+.-]{1,200})(?::([a-z0-9-]{1,20}))?"
VERSION = r"((?:[0-9]{1,5}:)?[A-Za-z0-9][A-Za-z0-9.+~:-]{0,150})"
ROW = re.compile(
    rf"\s*([uihrp][ncHUFWti][ R]?)\s+{NAME}\s+(?:{VERSION}|<none>)\s+([a-z0-9-]{{1,20}}|<none>)(?:\s+\S.*)?"
)
HEADING = re.compile(
    r"\s*(?:Desired=Unknown/.*|\| Status=.*|\|/ Err\?=.*|\|\|/ Name\s+Version.*|[+|]{2,3}[-=+]{3,2000})"
)
NOT_FOUND = re.compile(r"\s*dpkg-query: no packages found matching (\S{1,200})")
FAILED = re.compile(r"\s*(?:dpkg(?:-query)?: .*|E: .*)")
INSTALLED = "i"


@dataclass(frozen=True)
class Package:
    """One row."""

    name: str
    version: str | None
    """None when only its name is known."""
    architecture: str | None
    is_installed: bool
    """Unpacked and configured; a removed package whose configuration stays is not."""
    is_held: bool


def parse(text: str) -> PackageAnswer[Package]:
    """Read the table of `dpkg -l`, whole or some of its rows, or the rows of FORMAT.

    Raises:
        ToolFailure: dpkg says that it failed.
        ParseError: empty, a row of another shape, or a package twice.
    """
    found: dict[tuple[str, str | None], Package] = {}
    missing: list[str] = []
    for number, line in enumerate(transcript_of(TOOL, text, "dpkg"), start=1):
        if not line.strip() or HEADING.fullmatch(line):
            continue
        if match := NOT_FOUND.fullmatch(line):
            missing.append(match[1])
        elif FAILED.fullmatch(line):
            raise ToolFailure(TOOL, "failed", "it says that it failed", line=line, line_number=number)
        else:
            package = _package(line, number)
            if (package.name, package.architecture) in found:
                raise ParseError(TOOL, "a package twice", line=line, line_number=number)
            found[package.name, package.architecture] = package
    if not found and not missing:
        raise ParseError(TOOL, "no package", line=text.strip()[-200:])
    return PackageAnswer(tuple(found.values()), tuple(missing))


def _package(line: str, number: int) -> Package:
    match = ROW.fullmatch(line)
    if match is None or (match[4] is None and match[1][1] == INSTALLED):
        raise ParseError(TOOL, "not a package, or cut off", line=line, line_number=number)
    flags, name, own_architecture, version, architecture = match.groups()
    shown = None if architecture == "<none>" else architecture
    return Package(
        name, version, own_architecture or shown, flags[1] == INSTALLED and "R" not in flags, flags[0] == "h"
    )


def read(host: Host, *names: str) -> PackageAnswer[Package]:
    """Packages of `host`, or those of `names` (patterns are allowed).

    Raises:
        ToolMissing: no dpkg on this system.
        CommandError: dpkg failed; a package that is not there is no failure.
    """
    quoted = " ".join(shlex.quote(name) for name in names)
    output = host.run(f"dpkg-query -W -f={shlex.quote(FORMAT)} {quoted} 2>&1".rstrip())
    if output.exit_code == 0 or (output.exit_code == 1 and NOT_FOUND.search(output.stdout)):
        return parse(output.stdout)
    raise failure_of(output, "dpkg did not answer")

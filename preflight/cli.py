"""`python -m preflight DIR…`: read the files of a deployment and report what will fail."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from access.terminal import printable, say
from preflight import rules
from preflight.deployment import Deployment
from preflight.file_set import FileSet, read
from preflight.finding import Finding, Severity
from preflight.output import as_json, as_junit, as_patch, as_sarif, as_text
from preflight.releases import RELEASES, named_in
from preflight.shellcheck import shellcheck

FORMATS = {"text": as_text, "json": as_json, "sarif": as_sarif, "junit": as_junit}
CLEAN, FOUND, UNUSABLE_INPUT = 0, 1, 64


def inspect(
    paths: Sequence[Path], release: str | None = None, cpu_vendors: frozenset[str] = frozenset()
) -> tuple[FileSet, list[Finding]]:
    """Read all files below `paths` and return them with the findings, in the files' order."""
    files = read(list(paths))
    release = release or next((name for path in paths if (name := named_in(path.absolute()))), None)
    deployment = Deployment(files, release, cpu_vendors)
    found = [*rules.check(deployment), *shellcheck(files)]
    unique = dict.fromkeys(found)
    return files, sorted(
        unique, key=lambda item: (str(item.location.path), item.location.line, item.location.column, item.code)
    )


def main(arguments: Sequence[str]) -> int:
    """Exit code: 0 nothing found, 1 an error or (with --strict) a warning found, 64 bad input."""
    parser = argparse.ArgumentParser(
        prog="python -m preflight", description="What will go wrong with the deployment that these files describe?"
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="DIR", help="directories or files of the deployment")
    parser.add_argument("--release", choices=RELEASES, help="OpenStack release; else taken from a directory's name")
    parser.add_argument("--cpu-vendor", action="append", choices=("intel", "amd"), default=[], help="of the GPU hosts")
    parser.add_argument("--format", choices=sorted(FORMATS), default="text")
    parser.add_argument("--strict", action="store_true", help="warnings fail, too")
    parser.add_argument("--fix", action="store_true", help="print a patch of the safe fixes, and nothing else")
    options = parser.parse_args(arguments)
    missing = [str(path) for path in options.paths if not path.exists()]
    if missing:
        say(f"error: no such file or directory: {', '.join(missing)}", sys.stderr)
        return UNUSABLE_INPUT
    files, findings = inspect(options.paths, options.release, frozenset(options.cpu_vendor))
    if not files.texts:
        say(f"error: nothing to read below {', '.join(map(str, options.paths))}", sys.stderr)
        return UNUSABLE_INPUT
    text = as_patch(findings) if options.fix else FORMATS[options.format](findings, len(files.texts))
    is_for_people = options.format == "text" and not options.fix
    sys.stdout.write(printable(text) if is_for_people else text)
    failing = [finding for finding in findings if options.strict or finding.severity is Severity.ERROR]
    return FOUND if failing else CLEAN

"""`python -m preflight DIR…`: read the files of a deployment and report what will fail."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from access.collector import without_collector
from access.terminal import printable, say
from preflight import rules
from preflight.deployment import ALIAS_OPTIONS, FILTER_OPTIONS, WHITELIST_OPTIONS, Deployment
from preflight.file_set import FileSet, read
from preflight.finding import Finding, Severity
from preflight.output import as_json, as_junit, as_patch, as_sarif, as_text, patch_base
from preflight.release_of import release_of, statements_of
from preflight.releases import RELEASES
from preflight.shellcheck import ShellCheck
from preflight.siblings import deployments

FORMATS = {"text": as_text, "json": as_json, "sarif": as_sarif, "junit": as_junit}
CLEAN, FOUND, UNUSABLE_INPUT, NOT_JUDGED = 0, 1, 64, 69


@without_collector()
def inspect(
    paths: Sequence[Path],
    release: str | None = None,
    cpu_vendors: frozenset[str] = frozenset(),
    exclude: Sequence[str] = (),
) -> tuple[FileSet, list[Finding]]:
    """Read all files below `paths` but those that match `exclude`; return them with the findings, in their order.

    Deployments that stand side by side, e.g. production and staging, are judged each for itself.
    """
    files = read(list(paths), exclude)
    stated = list(statements_of(files.texts))
    files.release = release_of(release, paths, stated)
    files.deployments = deployments(files)
    for own, part in files.deployments:
        part.release = release_of(release, [own, *paths], [(name, path) for name, path in stated if path in part.texts])
    with ShellCheck(files) as shellcheck:
        found: list[Finding] = []
        for part in [part for _, part in files.deployments] or [files]:
            deployment = Deployment(part, part.release.name, cpu_vendors)
            files.unjudged.update(unjudged_settings(deployment))
            found += rules.check(deployment)
        found += shellcheck.findings()
    return files, sorted(dict.fromkeys(found), key=_place)


def _place(finding: Finding) -> tuple[str, int, int, str, str, str]:
    where = finding.location
    return str(where.path), where.line, where.column, finding.code, finding.text, finding.why


def unjudged_settings(deployment: Deployment) -> dict[Path, str]:
    """Files that set something of GPUs by a value that only a renderer knows, and why that is not judged."""
    if any(option.scope.dialect == "kayobe" and not option.is_template for option in deployment.nova_options):
        return {}  # the values are made of stackhpc_gpu_data
    names = ALIAS_OPTIONS | WHITELIST_OPTIONS | FILTER_OPTIONS
    return {
        option.location.path: f"the value of {option.name.partition('/')[2]} is a template"
        for option in deployment.nova_options
        if option.name in names and option.is_template
    }


def main(arguments: Sequence[str]) -> int:
    """Exit code: 0 nothing found, 1 an error or (with --strict) a warning found, 64 bad input, 69 could not judge."""
    parser = argparse.ArgumentParser(
        prog="python -m preflight", description="What will go wrong with the deployment that these files describe?"
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="DIR", help="directories or files of the deployment")
    parser.add_argument(
        "--release", choices=RELEASES, help="OpenStack release; else what the files, or a directory's name, say"
    )
    parser.add_argument(
        "--cpu-vendor", action="append", choices=("intel", "amd", "arm"), default=[], help="of the GPU hosts"
    )
    parser.add_argument("--exclude", action="append", default=[], metavar="PATTERN", help="leave out, e.g. 'docs/*'")
    parser.add_argument("--format", choices=sorted(FORMATS), default="text")
    parser.add_argument("--strict", action="store_true", help="warnings fail, too")
    parser.add_argument("--fix", action="store_true", help="print a patch of the safe fixes, and nothing else")
    options = parser.parse_args(arguments)
    missing = [str(path) for path in options.paths if not path.exists()]
    if missing:
        say(f"error: no such file or directory: {', '.join(missing)}", sys.stderr)
        return UNUSABLE_INPUT
    files, findings = inspect(options.paths, options.release, frozenset(options.cpu_vendor), options.exclude)
    if not files.texts and not files.unreadable:
        say(f"error: nothing to read below {', '.join(map(str, options.paths))}", sys.stderr)
        return UNUSABLE_INPUT
    if options.fix:
        return _print_patch(findings)
    text = FORMATS[options.format](findings, files)
    sys.stdout.write(printable(text) if options.format == "text" else text)
    failing = [finding for finding in findings if options.strict or finding.severity is Severity.ERROR]
    if failing:
        return FOUND
    return CLEAN if files.kinds and not files.unjudged else NOT_JUDGED


def _print_patch(findings: Sequence[Finding]) -> int:
    """The patch on standard output, what it does not fix and where it applies on standard error.

    Exit code: 0 there is a patch, or nothing to fix; 1 there are errors and no patch.
    """
    patch = as_patch(findings)
    sys.stdout.write(patch)
    base = patch_base(findings)
    if patch and base != Path.cwd():
        say(f"apply it in {base}", sys.stderr)
    left = [item for item in findings if item.fix is None and item.severity is Severity.ERROR]
    for finding in left:
        place = finding.location
        say(f"not fixed: {place.path}:{place.line} {finding.code}: {finding.instead}", sys.stderr)
    return FOUND if left and not patch else CLEAN

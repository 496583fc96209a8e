"""Findings as text, JSON, SARIF (code review), JUnit (Jenkins) and as a patch."""

from __future__ import annotations

import difflib
import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree

from preflight.file_set import FileSet
from preflight.finding import Finding, Severity, printable
from preflight.rules import catalogue

MOST_NAMES = 10
SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def as_text(findings: Sequence[Finding], files: FileSet) -> str:
    """For people: one block for each finding, a line of totals at the end."""
    blocks = [_block(finding) for finding in findings]
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    total = f"{len(files.texts)} files read: {errors} errors, {len(findings) - errors} warnings"
    return "\n".join([*blocks, *map(printable, summary(files)), total]) + "\n"


def _block(finding: Finding) -> str:
    place = finding.location
    return (
        f"{place.path}:{place.line}:{place.column}: {finding.severity} {finding.code} {finding.why}"
        + (f"\n    {finding.text}" if finding.text else "")
        + f"\n    seen as:  {finding.seen_as}\n    instead:  {finding.instead}\n    see:      {finding.link}"
    )


def summary(files: FileSet) -> list[str]:
    """What was understood, what was not, and for which release the rules judged: one line each."""
    counts = Counter(files.kinds.values())
    understood = ", ".join(f"{count} {_plural(kind, count)}" for kind, count in sorted(counts.items()))
    others = [path for path in files.texts if path not in files.kinds]
    lines = [f"understood: {understood or 'nothing'}"]
    if others:
        shown = ", ".join(str(path) for path in others[:MOST_NAMES])
        more = f" and {len(others) - MOST_NAMES} more" if len(others) > MOST_NAMES else ""
        lines.append(f"not understood: {len(others)} {_plural('file', len(others))}: {shown}{more}")
    lines += [f"not judged, although it holds GPU settings: {path} ({why})" for path, why in files.unjudged.items()]
    if files.deployments:
        lines.append(f"{len(files.deployments)} deployments side by side, each judged for itself")
    for own, part in files.deployments:
        lines += [f"{own}: {line}" for line in _release(part)]
    return lines if files.deployments else [*lines, *_release(files)]


def _release(files: FileSet) -> Iterator[str]:
    name = files.release.name.title() if files.release.name else "unknown"
    yield f"release: {name} ({files.release.source})"
    if files.release.name is None:
        yield "what depends on the release was not judged"


def _plural(kind: str, count: int) -> str:
    if count == 1 or kind.endswith(("s", "conf")):
        return kind
    return kind.replace("list of", "lists of") if kind.startswith("list") else f"{kind}s"


def as_json(findings: Sequence[Finding], files: FileSet) -> str:
    """For programs: {"version": 1, "files": N, "findings": [{…}]}."""
    rows = [
        {
            "code": finding.code,
            "severity": str(finding.severity),
            "path": str(finding.location.path),
            "line": finding.location.line,
            "column": finding.location.column,
            "text": finding.text,
            "why": finding.why,
            "seen_as": finding.seen_as,
            "instead": finding.instead,
            "link": finding.link,
        }
        for finding in findings
    ]
    release = {"name": files.release.name, "source": files.release.source}
    content = {
        "version": 1,
        "files": len(files.texts),
        "release": release,
        "deployments": [
            {"directory": str(own), "release": {"name": part.release.name, "source": part.release.source}}
            for own, part in files.deployments
        ],
        "understood": {str(path): kind for path, kind in files.kinds.items()},
        "not_understood": [str(path) for path in files.texts if path not in files.kinds],
        "not_judged": {str(path): why for path, why in files.unjudged.items()},
        "findings": rows,
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def as_sarif(findings: Sequence[Finding], files: FileSet) -> str:
    """SARIF 2.1.0, as code review tools read it; paths are relative to the working directory where they can be."""
    shellchecks = {finding.code: finding.link for finding in findings if finding.code.startswith("SC")}
    rules = [
        {
            "id": rule.code,
            "name": rule.title,
            "shortDescription": {"text": rule.title},
            "fullDescription": {"text": f"Seen without preflight: {rule.seen_as}"},
            "helpUri": rule.link,
            "defaultConfiguration": {"level": str(rule.severity)},
        }
        for rule in catalogue()
    ] + [
        {"id": code, "name": code, "shortDescription": {"text": f"shellcheck {code}"}, "helpUri": link}
        for code, link in sorted(shellchecks.items())
    ]
    index = {rule["id"]: number for number, rule in enumerate(rules)}
    results = [
        {
            "ruleId": finding.code,
            "ruleIndex": index[finding.code],
            "level": str(finding.severity),
            "message": {"text": f"{finding.why}. Seen as: {finding.seen_as}. Instead: {finding.instead}"},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": quote(_relative(finding.location.path).as_posix())},
                        "region": {"startLine": finding.location.line, "startColumn": finding.location.column},
                    }
                }
            ],
        }
        for finding in findings
    ]
    driver = {"name": "gpu-cloud-preflight", "rules": rules}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": results,
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": _notifications(files)}],
        "properties": {"files": len(files.texts), "release": files.release.name or "unknown"},
    }
    return json.dumps({"version": "2.1.0", "$schema": SARIF_SCHEMA, "runs": [run]}, indent=2, ensure_ascii=False) + "\n"


def _notifications(files: FileSet) -> list[dict[str, object]]:
    """What was not judged, for the readers of SARIF."""
    return [
        {"level": "warning", "message": {"text": f"{_relative(path).as_posix()} holds GPU settings: {why}"}}
        for path, why in files.unjudged.items()
    ]


def _relative(path: Path) -> Path:
    try:
        return path.resolve().relative_to(Path.cwd())
    except ValueError:
        return path


def as_junit(findings: Sequence[Finding], files: FileSet) -> str:
    """JUnit XML: one test case for each rule, failed when the rule found something."""
    by_code: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        by_code[finding.code].append(finding)
    rules = catalogue()
    suite = ElementTree.Element(
        "testsuite",
        name="preflight",
        tests=str(len({rule.code for rule in rules} | by_code.keys())),
        failures=str(len(by_code)),
        errors="0",
        skipped="0",
    )
    titles = {rule.code: f"{rule.code} {rule.title}" for rule in rules}
    for code in [*titles, *sorted(by_code.keys() - titles.keys())]:
        case = ElementTree.SubElement(suite, "testcase", classname="preflight", name=titles.get(code, code))
        if code in by_code:
            found = by_code[code]
            failure = ElementTree.SubElement(case, "failure", message=_printable(found[0].why[:200]))
            failure.text = _printable("\n".join(_block(finding) for finding in found))
    lines = [f"{len(files.texts)} files read", *summary(files)]
    ElementTree.SubElement(suite, "system-out").text = _printable("\n".join(lines))
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suite, encoding="unicode") + "\n"


def _printable(text: str) -> str:
    """XML 1.0 has no control characters but tab and newline, and no surrogates."""
    return "".join(
        character
        for character in text
        if character in "\t\n"
        or (ord(character) >= 32 and not 0xD800 <= ord(character) <= 0xDFFF and character not in "\ufffe\uffff")
    )


def patch_base(findings: Sequence[Finding]) -> Path:
    """The directory in which the patch applies: the working directory if it holds all files, else one that does."""
    paths = [finding.location.path.resolve() for finding in findings if finding.fix is not None]
    here = Path.cwd()
    if all(path.is_relative_to(here) for path in paths):
        return here
    return Path(os.path.commonpath([path.parent for path in paths]))


def as_patch(findings: Sequence[Finding]) -> str:
    """A unified diff (`patch -p1`, `git apply`) of the safe fixes, relative to `patch_base`; "" if there are none."""
    base = patch_base(findings)
    by_path: dict[Path, list[Finding]] = defaultdict(list)
    for finding in findings:
        if finding.fix is not None:
            by_path[finding.location.path].append(finding)
    patches: list[str] = []
    for path, found in sorted(by_path.items()):
        text = path.read_bytes().decode("utf-8")
        before = [line for line in re.split(r"(?<=\n)", text) if line]
        after = list(before)
        for finding in sorted(found, key=lambda item: (item.location.line, item.location.column), reverse=True):
            if finding.location.line <= len(after):
                after[finding.location.line - 1] = _mended(after[finding.location.line - 1], finding)
        name = path.resolve().relative_to(base).as_posix()
        for line in difflib.unified_diff(before, after, f"a/{name}", f"b/{name}"):
            patches.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    return "".join(patches)


def _mended(line: str, finding: Finding) -> str:
    fix = finding.fix
    start = finding.location.column - 1
    if fix is None or line[start : start + len(fix.old)] != fix.old:
        return line
    return line[:start] + fix.new + line[start + len(fix.old) :]

"""A run as JUnit XML: what Jenkins, GitLab and GitHub read beside the pages.

Made from the records and not by pytest: also what was declared and never looked at, and the run's own outcome, are
test cases, and nothing is in it that Jenkins' schema does not know (pytest writes properties into test cases).
*failed* is a failure, *error* and *not verified* are errors; *blocked* is skipped: its cause is in another test case.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.etree import ElementTree as ET

from judging.layers import layer_of
from judging.outcome import Outcome
from judging.records import CheckRecord, Verdict
from reports.page_names import PAGE
from reports.records import RECORDS
from reports.run import Run

TEXT_LIMIT_CHARS = 20_000
MESSAGE_LIMIT_CHARS = 500
# https://www.w3.org/TR/xml/#charsets without the discouraged C1 controls
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ELEMENTS = {
    Verdict.FAILED: "failure",
    Verdict.ERROR: "error",
    Verdict.NOT_VERIFIED: "error",
    Verdict.BLOCKED: "skipped",
}


def clean(text: str, limit_chars: int = TEXT_LIMIT_CHARS) -> str:
    """Text that XML can hold: control characters become their pictures (ESC becomes ␛), the rest �; bounded."""
    bounded = (
        text if len(text) <= limit_chars else f"{text[:limit_chars]}\n… {len(text) - limit_chars} characters left out"
    )
    return _FORBIDDEN.sub(lambda found: _picture(found.group()), bounded)


def _picture(character: str) -> str:
    return chr(0x2400 + ord(character)) if ord(character) < 0x20 else "\ufffd"


def junit(run: Run) -> bytes:
    """The file's bytes."""
    cases = [_case(run, check) for check in run.checks]
    cases.append(_outcome(run))
    counts = {
        name: sum(case.find(tag) is not None for case in cases)
        for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"))
    }
    about = {
        "name": clean(f"acceptance of {run.header.cloud}", MESSAGE_LIMIT_CHARS),
        "tests": str(len(cases)),
        "time": f"{sum(max(0.0, check.duration_s) for check in run.checks):.3f}",
        "timestamp": clean(run.header.started[:19]),
        "hostname": clean(run.header.cloud, MESSAGE_LIMIT_CHARS),
    }
    suite = ET.Element("testsuite", {**about, **{name: str(count) for name, count in counts.items()}})
    suite.append(_properties(run))
    suite.extend(cases)
    root = ET.Element("testsuites", name="acceptance")
    root.append(suite)
    made: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return made + b"\n"


def _properties(run: Run) -> ET.Element:
    element = ET.Element("properties")
    values = {
        "run": run.header.id,
        "cloud": run.header.cloud,
        "suite_version": run.header.suite_version,
        "suite_commit": run.header.suite_commit,
        "hardware": "SIMULATED HARDWARE" if run.header.simulated else "real",
        "outcome": str(run.outcome),
        "page": PAGE,
        "records": RECORDS,
        "whole": "yes" if run.header.whole else "no: a part of the suites",
    }
    for name, value in values.items():
        ET.SubElement(element, "property", name=name, value=clean(value, MESSAGE_LIMIT_CHARS))
    return element


def _case(run: Run, check: CheckRecord) -> ET.Element:
    case = _test_case(run, layer_name_of(check), title_of(check), check.duration_s)
    if check.verdict is not Verdict.PASSED:
        message = " ".join(f"{check.verdict}: {check.message or check.cause}".split())
        text = "\n".join(lines_of(check))
        ET.SubElement(
            case,
            _ELEMENTS[check.verdict],
            message=clean(message, MESSAGE_LIMIT_CHARS),
            type=clean(check.cause or str(check.verdict), MESSAGE_LIMIT_CHARS),
        ).text = clean(text)
    return case


def _test_case(run: Run, layer: str, name: str, duration_s: float) -> ET.Element:
    classname = clean(f"{run.header.cloud}.{layer}", MESSAGE_LIMIT_CHARS)
    return ET.Element(
        "testcase", classname=classname, name=clean(name, MESSAGE_LIMIT_CHARS), time=f"{max(0.0, duration_s):.3f}"
    )


def title_of(check: CheckRecord) -> str:
    """A check with its place, as dashboards show it."""
    return f"{check.id} [{check.place}]" if check.place else check.id


def layer_name_of(check: CheckRecord) -> str:
    """What dashboards group a check by: its layer, or the first word of a check that no layer names."""
    return layer_of(check.id).name or check.id.split(".")[0]


def lines_of(check: CheckRecord) -> Iterable[str]:
    """What is known of a check that is not passed: fact, message, place, fix, evidence."""
    yield check.fact
    yield check.message
    if check.file:
        yield f"in {check.file}" + (f":{check.line_number}" if check.line_number is not None else "")
    if check.fix:
        yield f"to do: {check.fix}"
    for item in check.evidence:
        yield f"[{item.host}] $ {item.command}  -> {item.exit_code}\n{item.output}"


def _outcome(run: Run) -> ET.Element:
    """The verdict as the last test case: nothing that is not accepted looks green."""
    case = _test_case(run, "run", "run.outcome", 0.0)
    code = run.end.exit_code if run.end else None
    if run.outcome is Outcome.ACCEPTED and code == 0:
        return case
    rejected = run.outcome is Outcome.REJECTED
    told = f"exit code {code}" if run.end else "cut off: no end is recorded"
    causes = [line for cause in run.causes for line in cause.lines()]
    ET.SubElement(
        case,
        "failure" if rejected else "error",
        message=clean(f"{run.outcome} ({told})", MESSAGE_LIMIT_CHARS),
        type=str(run.outcome),
    ).text = clean("\n".join(causes))
    return case

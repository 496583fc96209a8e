"""A run as JSON in the Common Test Report Format (https://ctrf.io), which many dashboards and bots read.

As in JUnit XML, what was declared and never looked at and the run's own outcome are tests. *failed* is failed,
*blocked* is skipped, and what is neither good nor bad (*error*, *not verified*) is other.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from datetime import datetime
from typing import Any

from judging.outcome import Outcome
from judging.records import CheckRecord, Verdict
from reports.junit import MESSAGE_LIMIT_CHARS, clean, layer_name_of, lines_of, title_of
from reports.run import Run

VERSION = "1.0.0"
STATUSES = ("passed", "failed", "skipped", "pending", "other")
_STATUS = {Verdict.PASSED: "passed", Verdict.FAILED: "failed", Verdict.BLOCKED: "skipped"}
_NAMES = uuid.UUID("6f1d6a0e-6a55-4c0b-9c3e-1a7f4d7e2c11")
"""Ids of reports are made of a run's own id, so that the same run has the same."""


def ctrf(run: Run) -> bytes:
    """The file's bytes."""
    tests = [*map(_test, run.checks), _outcome(run)]
    counts = Counter(test["status"] for test in tests)
    start = _milliseconds(run.header.started)
    stop = _milliseconds(run.end.ended) if run.end else start + sum(test["duration"] for test in tests)
    report: dict[str, Any] = {
        "reportFormat": "CTRF",
        "specVersion": VERSION,
        "reportId": str(uuid.uuid5(_NAMES, run.header.id)),
        "timestamp": run.end.ended if run.end else run.header.started,
        "generatedBy": "gpu-acceptance",
        "results": {
            "tool": {"name": "gpu-acceptance", "version": run.header.suite_version},
            "summary": {
                "tests": len(tests),
                **{status: counts[status] for status in STATUSES},
                "start": start,
                "stop": max(start, stop),
            },
            "tests": tests,
            "environment": _environment(run),
        },
    }
    return (json.dumps(report, ensure_ascii=False, indent=1) + "\n").encode("utf-8", errors="replace")


def _environment(run: Run) -> dict[str, Any]:
    return {
        "reportName": clean(f"acceptance of {run.header.cloud}", MESSAGE_LIMIT_CHARS),
        "appName": clean(run.header.cloud, MESSAGE_LIMIT_CHARS),
        "testEnvironment": "SIMULATED HARDWARE" if run.simulated else "real hardware",
        "healthy": run.outcome is Outcome.ACCEPTED,
        "extra": {
            "run": run.header.id,
            "outcome": str(run.outcome),
            "whole": run.header.whole,
            "suite_commit": run.header.suite_commit,
        },
    }


def _test(check: CheckRecord) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": clean(title_of(check), MESSAGE_LIMIT_CHARS),
        "status": _STATUS.get(check.verdict, "other"),
        "rawStatus": str(check.verdict),
        "duration": round(max(0.0, check.duration_s) * 1000),
        "suite": [clean(layer_name_of(check), MESSAGE_LIMIT_CHARS)],
        "extra": {"check": clean(check.id), "place": clean(check.place)},
    }
    if check.verdict is not Verdict.PASSED:
        found["message"] = clean(" ".join((check.message or check.cause).split()), MESSAGE_LIMIT_CHARS)
        found["trace"] = clean("\n".join(lines_of(check)))
    if check.cause:
        found["tags"] = [clean(check.cause, MESSAGE_LIMIT_CHARS)]
    return found


def _outcome(run: Run) -> dict[str, Any]:
    """The verdict as the last test: nothing that is not accepted looks green."""
    rejected = "failed" if run.outcome is Outcome.REJECTED else "other"
    is_good = run.outcome is Outcome.ACCEPTED and run.end is not None and run.end.exit_code == 0
    found = {"name": "run.outcome", "status": "passed" if is_good else rejected, "duration": 0, "suite": ["run"]}
    doubts = "" if is_good else "\n".join(run.doubts)
    return {**found, "rawStatus": str(run.outcome), **({"message": clean(doubts)} if doubts else {})}


def _milliseconds(moment: str) -> int:
    """Since 1970, of a time of the records; 0 where it is none."""
    try:
        return round(datetime.fromisoformat(moment).timestamp() * 1000)
    except ValueError:
        return 0

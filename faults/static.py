"""Faults of templates, environment files and scripts: found by preflight, before any deploy."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from faults.acceptance_process import SUITE_PYTHON
from faults.fault import Fault
from faults.score import Answer
from lab.paths import REPOSITORY

LIMIT_S = 60


def preflight(fault: Fault, directory: Path) -> Answer:
    """Write the fault's files and run preflight over them.

    Each finding is a record of the check `preflight.finding` with the finding's code as cause.
    """
    folder = directory / "files"
    shutil.rmtree(folder, ignore_errors=True)
    release = "ocata"
    for step in fault.inject:
        release = str(step.get("release", release))
        for name, text in step["files"].items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    command = ["-m", "preflight", str(folder), "--release", release, "--format", "json"]
    done = subprocess.run(
        [str(SUITE_PYTHON), *command],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    findings = _findings(done.stdout)
    checks = [_check(item) for item in findings] or [{"id": "preflight", "place": "", "verdict": "passed"}]
    causes = [_cause(item) for item in findings]
    return Answer(done.returncode, checks, causes, done.stdout + done.stderr)


def _findings(text: str) -> list[dict[str, Any]]:
    data = json.loads(text)
    return list(data["findings"] if isinstance(data, dict) else data)


def _check(finding: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "preflight.finding",
        "place": Path(finding["path"]).name,
        "verdict": "failed",
        "cause": finding["code"],
        "message": finding.get("why", ""),
    }


def _cause(finding: dict[str, Any]) -> dict[str, Any]:
    place = Path(finding["path"]).name
    return {
        "check": "preflight.finding",
        "cause": finding["code"],
        "places": [place],
        "ruled_out": [],
        "fix": finding["instead"],
    }

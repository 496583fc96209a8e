"""Inject faults one by one into a provisioned lab, run the acceptance, and judge what it said."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab.errors import LabError
from lab.faults.fault import Expected, Fault
from lab.faults.inject import Injector
from lab.paths import REPOSITORY
from lab.state import LabState

RUN_LIMIT_S = 300
SUITE_PYTHON = REPOSITORY / ".venv" / "bin" / "python"


@dataclass(frozen=True)
class Score:
    """What the acceptance made of one fault."""

    fault: str
    found: bool
    cause_right: bool
    extra: tuple[str, ...]
    """Checks that were blamed although they should be green."""
    seconds: float
    note: str = ""

    @property
    def is_right(self) -> bool:
        """Found, its cause named, and nothing else blamed."""
        return self.found and self.cause_right and not self.extra


class Runner:
    """One lab, provisioned once; each fault is put in, judged, and taken out."""

    def __init__(self, state: LabState, cloud_file: Path) -> None:
        self.state = state
        self.cloud_file = cloud_file
        self.directory = state.paths.state / "faults"

    def prepare(self) -> None:
        """Provision and accept the healthy cloud.

        Raises:
            LabError: the healthy lab is not accepted.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        self._write_cloud("healthy", {})
        code, checks, output = self._accept("healthy", "--keep")
        if code != 0:
            failed = [
                f"{check['id']} [{check['place']}] {check['message']}"
                for check in checks
                if check["verdict"] != "passed"
            ]
            raise LabError("the healthy lab is not accepted: " + ("; ".join(failed) or output[-2000:]))

    def judge(self, fault: Fault) -> Score:
        """Put a fault in, run the acceptance, take it out."""
        started = time.monotonic()
        injector = Injector(self.state)
        try:
            injector.inject(fault)
            changes = [step["cloud"] for step in fault.inject if "cloud" in step]
            if changes:
                self._write_cloud("broken", changes[0])
                checks = self._accept("broken", "--keep")[1]
            else:
                checks = self._accept("healthy", "--reuse")[1]
        except (LabError, subprocess.TimeoutExpired) as error:
            return Score(fault.id, False, False, (), time.monotonic() - started, str(error)[:300])
        finally:
            injector.mend(fault)
        if fault.needs_provisioning:
            self._accept("healthy", "--keep")
        return _score(fault, checks, time.monotonic() - started)

    def finish(self) -> None:
        """Give back what was provisioned."""
        self._accept("healthy", "--cleanup")

    def _write_cloud(self, name: str, changes: dict[str, Any]) -> None:
        content = yaml.safe_load(self.cloud_file.read_text(encoding="utf-8"))
        content["runs_directory"] = str(self.directory / "runs")
        _merge(content, changes)
        (self.directory / f"{name}.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")

    def _accept(self, name: str, *options: str) -> tuple[int, list[dict[str, Any]], str]:
        records = self.directory / name / "records.jsonl"
        records.unlink(missing_ok=True)
        where = ["--cloud", str(self.directory / f"{name}.yaml"), "--run-dir", str(self.directory / name)]
        command = [str(SUITE_PYTHON), "-m", "pytest", "suites/", *where, "-q", "-p", "no:cacheprovider", *options]
        keep = ("PYTEST_", "VIRTUAL_ENV", "PYTHONPATH", "GPU_ACCEPTANCE")
        environment = {key: value for key, value in os.environ.items() if not key.startswith(keep)}
        environment |= {"GPU_LAB_HOME": str(self.state.paths.home)}
        done = subprocess.run(
            command, cwd=REPOSITORY, env=environment, timeout=RUN_LIMIT_S, check=False, text=True, errors="replace",
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        lines = records.read_text(encoding="utf-8").splitlines() if records.exists() else []
        checks = [data for data in map(json.loads, lines) if data.get("kind") == "check"]
        return done.returncode, checks, done.stdout


def _merge(content: dict[str, Any], changes: dict[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(content.get(key), dict):
            _merge(content[key], value)
        else:
            content[key] = value


def _score(fault: Fault, checks: list[dict[str, Any]], seconds: float) -> Score:
    failed = [check for check in checks if check["verdict"] == "failed"]
    if not fault.expect:
        blamed = tuple(sorted({f"{c['id']} [{c['place']}]" for c in checks if c["verdict"] != "passed"}))
        return Score(fault.id, bool(checks), bool(checks), blamed, seconds)
    hits = [(item, check) for item in fault.expect for check in failed if _is_at(item, check)]
    named = {id(item) for item, check in hits if check["cause"] == item.cause}
    explained = _explained(fault, failed)
    extra = tuple(sorted({f"{c['id']} [{c['place']}]: {c['cause']}" for c in failed if c["id"] not in explained}))
    note = "; ".join(
        sorted(
            {
                f"{check['id']}: {check['cause']}"
                for _, check in hits
                if check["cause"] not in {i.cause for i in fault.expect}
            }
        )
    )
    return Score(fault.id, bool(hits), len(named) == len(fault.expect), extra, seconds, note)


def _is_at(item: Expected, check: dict[str, Any]) -> bool:
    return bool(check["id"] == item.check and item.place in (None, check["place"]))


def _explained(fault: Fault, failed: list[dict[str, Any]]) -> set[str]:
    """Checks that may fail: the expected ones, what the file allows, and whatever rests on these."""
    known = {item.check for item in fault.expect} | set(fault.allow)
    while True:
        more = {
            check["id"] for check in failed if check["id"] not in known and any(_rests(check, name) for name in known)
        }
        if not more:
            return known
        known |= more


def _rests(check: dict[str, Any], name: str) -> bool:
    return any(name == below or (below.endswith(".*") and name.startswith(below[:-1])) for below in check["rests_on"])


def table(scores: Iterable[Score]) -> str:
    """The score as text."""
    rows = [("fault", "found", "cause", "extra blame", "seconds")]
    rows += [
        (
            s.fault,
            "yes" if s.found else "NO",
            "right" if s.cause_right else "WRONG",
            ", ".join(s.extra) or "-",
            f"{s.seconds:.0f}",
        )
        for s in scores
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )

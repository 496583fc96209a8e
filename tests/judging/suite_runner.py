"""Runs a suite that a test wrote, with the acceptance's plugins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.forked_pytest import run_pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PLUGINS = ("cloud_fixtures", "record_fixtures", "report_fixtures")
OPTIONS = ("-p", "no:cacheprovider", "-c", str(REPOSITORY / "pytest.ini"), "--rootdir", str(REPOSITORY))


def run_checks(directory: Path, source: str) -> tuple[int, list[dict[str, Any]]]:
    """Run a suite with the acceptance's plugins; its exit code and the records of its checks."""
    code, lines = run_suite(directory, source)
    return code, [line for line in lines if line["kind"] == "check"]


def run_suite(directory: Path, source: str, *options: str) -> tuple[int, list[dict[str, Any]]]:
    """Run a suite with the acceptance's plugins; its exit code and all lines of its records.

    The run's folder is `run`, what pytest printed is `stdout`, both beside the suite.
    """
    suite = directory / "test_made.py"
    suite.write_text(source, encoding="utf-8")
    plugins = [word for name in PLUGINS for word in ("-p", name)]
    done = run_pytest(str(suite), *OPTIONS, *plugins, "--run-dir", str(directory / "run"), *options)
    (directory / "stdout").write_text(done.stdout + done.stderr, encoding="utf-8")
    lines = [json.loads(line) for line in (directory / "run/records.jsonl").read_text(encoding="utf-8").splitlines()]
    return done.returncode, lines

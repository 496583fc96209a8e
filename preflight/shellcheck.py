"""What shellcheck knows about shell scripts, as findings."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from preflight.file_set import FileSet
from preflight.finding import Finding, Rule, Severity
from preflight.shell_source import Script

TIMEOUT_S = 60
NO_ANSWER = Rule("SC0000", "shellcheck did not answer", Severity.WARNING, "nowhere", "https://www.shellcheck.net/")
LEFT_OUT = "SC1090,SC1091,SC2148,SC1008,SC2068,SC2145,SC2045,SC2157"
"""Nothing that fails a deploy: files that are sourced elsewhere, shebangs, arrays that are split, lists of ls, values
that Heat puts in."""
NEGATION = "after the !"
"""SC1035 of `!(`: bash takes it."""


def shellcheck(files: FileSet) -> Iterator[Finding]:
    """Findings of severity error; nothing when shellcheck is not installed."""
    program = shutil.which("shellcheck")
    scripts = [script for script in files.scripts if not ("{{" in script.text or "{%" in script.text)]
    if program is None or not scripts:
        return
    with tempfile.TemporaryDirectory(prefix="preflight-") as folder:
        by_name: dict[str, Script] = {}
        for number, script in enumerate(scripts):
            copy = Path(folder) / f"{number}.sh"
            copy.write_text(script.text + "\n", encoding="utf-8", errors="replace")
            by_name[str(copy)] = script
        command = [
            program,
            "--format=json",
            "--severity=error",
            f"--exclude={LEFT_OUT}",
            "--shell=bash",
            *by_name,
        ]
        try:
            answer = subprocess.run(
                command, capture_output=True, text=True, encoding="utf-8", timeout=TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            yield NO_ANSWER.at(
                scripts[0].location(0), "", f"shellcheck did not end in {TIMEOUT_S} s", "check the scripts by hand"
            )
            return
    try:
        rows = json.loads(answer.stdout or "[]")
    except ValueError:
        said = (answer.stderr or answer.stdout).strip()[:200]
        yield NO_ANSWER.at(scripts[0].location(0), "", f"shellcheck gave no JSON: {said}", "run shellcheck by hand")
        return
    for row in (row for row in rows if NEGATION not in row["message"]):
        yield _finding(by_name[row["file"]], row)


def unread(files: FileSet, findings: Iterable[Finding]) -> str:
    """Why nobody looked at the scripts; "" if shellcheck did, or if there are none. `findings` are those of `files`."""
    if any(True for _ in files.scripts) and shutil.which("shellcheck") is None:
        return "not verified: shellcheck is not installed here; install it (package shellcheck)"
    unanswered = next((finding.why for finding in findings if finding.code == NO_ANSWER.code), "")
    return f"not verified: {unanswered}" if unanswered else ""


def _finding(script: Script, row: dict[str, object]) -> Finding:
    line, code = int(str(row["line"])), f"SC{row['code']}"
    rule = Rule(code, "shellcheck", Severity.ERROR, "when the script runs", f"https://www.shellcheck.net/wiki/{code}")
    text = script.lines[line - 1] if line <= len(script.lines) else ""
    return rule.at(script.location(line - 1, int(str(row["column"]))), text, str(row["message"]), "see the link")

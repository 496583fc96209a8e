"""What shellcheck knows about shell scripts, as findings."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

from preflight.file_set import JINJA, FileSet
from preflight.finding import Finding, Rule, Severity
from preflight.shell_source import LONGEST_LINE, Script

TIMEOUT_S = 60
NO_ANSWER = Rule("SC0000", "shellcheck did not answer", Severity.WARNING, "nowhere", "https://www.shellcheck.net/")
LEFT_OUT = "SC1090,SC1091,SC2148,SC1008,SC2068,SC2145,SC2045,SC2157"
"""Nothing that fails a deploy: files that are sourced elsewhere, shebangs, arrays that are split, lists of ls, values
that Heat puts in."""
NEGATION = "after the !"
"""SC1035 of `!(`: bash takes it."""


class ShellCheck:
    """shellcheck over every script of the files; it runs beside our own rules, its findings are asked for later.

    A context manager: who leaves early, as by Ctrl-C, leaves no process behind.
    """

    def __init__(self, files: FileSet) -> None:
        """Start it; nothing is started when there is no script, or no shellcheck."""
        self._scripts = [script for script in files.scripts if _is_readable(script)]
        self._folder = tempfile.TemporaryDirectory(prefix="preflight-")
        self._answers: list[subprocess.Popen[str]] = []
        program = shutil.which("shellcheck")
        if program is not None and self._scripts:
            self._start(program)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for answer in self._answers:
            if answer.poll() is None:
                answer.kill()
                answer.communicate()
        self._folder.cleanup()

    def _start(self, program: str) -> None:
        copies = []
        for number, script in enumerate(self._scripts):
            copy = Path(self._folder.name, f"{number}.sh")
            copy.write_text(script.text + "\n", encoding="utf-8", errors="replace")
            copies.append(str(copy))
        options = ["--format=json", "--severity=error", f"--exclude={LEFT_OUT}", "--shell=bash"]
        self._answers.append(
            subprocess.Popen(
                [program, *options, *copies], stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
            )
        )

    def findings(self) -> Iterator[Finding]:
        """Findings of severity error; waits for the answer, TIMEOUT_S at most."""
        for answer in self._answers:
            yield from self._of(answer)

    def _of(self, answer: subprocess.Popen[str]) -> Iterator[Finding]:
        try:
            text, errors = answer.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            first = self._scripts[0].location(0)
            yield NO_ANSWER.at(first, "", f"shellcheck did not end in {TIMEOUT_S} s", "check the scripts by hand")
            return
        try:
            rows = json.loads(text or "[]")
        except ValueError:
            said = (errors or text).strip()[:200]
            first = self._scripts[0].location(0)
            yield NO_ANSWER.at(first, "", f"shellcheck gave no JSON: {said}", "run shellcheck by hand")
            return
        for row in (row for row in rows if NEGATION not in row["message"]):
            yield _finding(self._scripts[int(Path(row["file"]).stem)], row)


def _is_readable(script: Script) -> bool:
    """No template, and no line of a payload: one of 100 kB keeps shellcheck from all other scripts for minutes."""
    return not JINJA.search(script.text) and all(len(line) <= LONGEST_LINE for line in script.lines)


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

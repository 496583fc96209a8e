"""Whatever breaks at a session's end, the exit code is no verdict by accident, and what is recorded stays readable."""

from __future__ import annotations

import json
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from suite_runner import OPTIONS

from judging.outcome import Outcome
from reports.run import read
from tests.forked_pytest import REPOSITORY, run_pytest

PLUGINS = ("cloud_fixtures", "record_fixtures")
WITH_PAGES = (*PLUGINS, "report_fixtures", "junit_fixtures")
"""They take a second to load."""
SUITE = '''
import pytest
from access.host import CommandOutput
{before}

@pytest.mark.check("made.passing")
def test_passing(notes, request):
    """A fact."""
    notes.command(CommandOutput("here", "true", 0, "", "", 0.1))
    {body}
'''
COULD_NOT_JUDGE = 69


class Ended:
    """How a session ended."""

    def __init__(self, directory: Path, done: subprocess.CompletedProcess[str]) -> None:
        self.directory = directory / "run"
        self.code = done.returncode
        self.said = done.stdout + done.stderr

    @property
    def outcome(self) -> Outcome:
        """As its records have it."""
        return read(self.directory).outcome

    @property
    def lines(self) -> list[dict[str, Any]]:
        """All lines of its records."""
        text = (self.directory / "records.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]


def end(
    directory: Path,
    *options: str,
    plugin: str = "",
    body: str = "pass",
    before: str = "",
    run_dir: Path | None = None,
    file_limit_bytes: int | None = None,
    plugins: Sequence[str] = WITH_PAGES,
) -> Ended:
    """Run a suite with a foreign plugin, and perhaps with little room for files."""
    directory.mkdir(exist_ok=True)
    (directory / "test_made.py").write_text(SUITE.format(body=body, before=before), encoding="utf-8")
    (directory / "conftest.py").write_text(f"import os, pytest\n{plugin}", encoding="utf-8")
    words = [word for name in plugins for word in ("-p", name)]
    words += [*options, "--run-dir", str(run_dir or directory / "run")]
    run = run_pytest if file_limit_bytes is None else partial(_run_with_little_room, file_limit_bytes)
    return Ended(directory, run(str(directory / "test_made.py"), *OPTIONS, *words))


def _run_with_little_room(limit_bytes: int, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes)),
    )


def hook(name: str, body: str, mark: str = "") -> str:
    """A foreign plugin's hook."""
    return f"{mark}\ndef {name}:\n    {body}\n"


FIRST, LAST = "@pytest.hookimpl(tryfirst=True)", "@pytest.hookimpl(trylast=True)"
WRAPPER = "@pytest.hookimpl(wrapper=True, {})"
AFTER = "yield\n    raise TypeError('broken')"
BROKEN_ENDS = {
    "a hook before ours": hook("pytest_sessionfinish()", "raise TypeError('broken')", FIRST),
    "a hook after ours": hook("pytest_sessionfinish()", "raise TypeError('broken')", LAST),
    "an inner wrapper": hook("pytest_sessionfinish()", AFTER, WRAPPER.format("trylast=True")),
    "an outer wrapper": hook("pytest_sessionfinish()", AFTER, WRAPPER.format("tryfirst=True")),
    "a wrapper between": hook("pytest_sessionfinish()", AFTER, WRAPPER.format("")),
    "the summary": hook("pytest_terminal_summary()", "raise TypeError('broken')"),
    "the end of plugins": hook("pytest_unconfigure()", "raise TypeError('broken')"),
    "a clean-up of pytest's": hook("pytest_configure(config)", "config.add_cleanup(lambda: 1 / 0)"),
    "an exit": hook("pytest_sessionfinish()", "raise SystemExit(0)", FIRST),
    "a quiet exit": hook("pytest_sessionfinish()", "pytest.exit('enough', returncode=0)", LAST),
    "another code": hook("pytest_sessionfinish(session)", "session.exitstatus = 5", LAST),
    "pytest's report": hook("pytest_html_results_summary()", "raise TypeError('broken')"),
    "a full pipe": hook("pytest_sessionfinish()", "raise BrokenPipeError(32, 'Broken pipe')", FIRST),
}

AFTER_THE_SESSION = ("the end of plugins", "a clean-up of pytest's")
"""Records, page and JUnit are closed then: only the exit code can say it."""


@pytest.mark.parametrize("case", BROKEN_ENDS)
def test_a_foreign_failure_at_the_end_could_not_judge(tmp_path: Path, case: str) -> None:
    """All checks passed, and yet nobody may read the code as a verdict; page and JUnit say the same; no traceback."""
    ended = end(tmp_path, plugin=BROKEN_ENDS[case])

    assert ended.code == COULD_NOT_JUDGE, ended.said
    assert "Traceback" not in ended.said
    assert "INTERNALERROR" not in ended.said
    if case not in AFTER_THE_SESSION:
        assert ended.outcome is Outcome.COULD_NOT_JUDGE
        assert ended.lines[-1]["doubts"]
        assert "Could not be judged" in (ended.directory / "acceptance.html").read_text(encoding="utf-8")
        assert "could not judge (exit code 69)" in (ended.directory / "junit.xml").read_text(encoding="utf-8")


@pytest.mark.parametrize("case", ["a hook before ours", "an outer wrapper", "the end of plugins", "another code"])
def test_a_rejection_stays_one_whatever_breaks_later(tmp_path: Path, case: str) -> None:
    """What was found is on disk and is not taken back."""
    ended = end(tmp_path, plugin=BROKEN_ENDS[case], body="assert False")

    assert (ended.code, ended.outcome) == (1, Outcome.REJECTED)
    assert "Traceback" not in ended.said


def test_nobody_makes_a_verdict_better(tmp_path: Path) -> None:
    """An exit code that a plugin sets to 0 is that of the records again."""
    better = hook("pytest_sessionfinish(session)", "yield\n    session.exitstatus = 0", WRAPPER.format("tryfirst=True"))

    assert end(tmp_path, plugin=better, body="assert False").code == 1


def test_an_interrupted_end_has_a_verdict_and_its_records(tmp_path: Path) -> None:
    """Ctrl-C while the session ends."""
    ended = end(tmp_path, plugin=hook("pytest_sessionfinish()", "raise KeyboardInterrupt", FIRST))

    assert ended.code == pytest.ExitCode.INTERRUPTED
    assert ended.outcome is Outcome.COULD_NOT_JUDGE
    assert "Traceback" not in ended.said


@pytest.mark.parametrize("limit", [20, 200, 2000, 10_000, 20_000])
def test_a_full_folder_could_not_judge(tmp_path: Path, limit: int) -> None:
    """From the first byte, in the middle of the records, in pytest's report, in the page: never a verdict."""
    ended = end(tmp_path, file_limit_bytes=limit, body="notes.evidence *= 40")

    assert ended.code == COULD_NOT_JUDGE, ended.said
    assert "what to do: " in ended.said
    assert "Traceback" not in ended.said
    assert "INTERNALERROR" not in ended.said
    text = (ended.directory / "records.jsonl").read_bytes() if ended.directory.exists() else b""
    assert all(json.loads(line) for line in text.splitlines())


@pytest.mark.parametrize("place", ["/proc/nowhere/run", "/dev/null/run"])
def test_a_folder_that_cannot_be_made_could_not_judge(tmp_path: Path, place: str) -> None:
    """Read-only, or no folder at all: a few lines that say where and what to do."""
    ended = end(tmp_path, run_dir=Path(place))

    assert ended.code == COULD_NOT_JUDGE, ended.said
    assert place.removesuffix("/run") in ended.said
    assert "--run-dir DIR" in ended.said
    assert len(ended.said.splitlines()) < 8


def test_a_folder_that_is_removed_meanwhile_could_not_judge(tmp_path: Path) -> None:
    """The records that are left have no head: nothing is made of them."""
    ended = end(tmp_path, body=f"import shutil; shutil.rmtree({str(tmp_path / 'run')!r})")

    assert ended.code == COULD_NOT_JUDGE, ended.said
    assert "Traceback" not in ended.said


def test_what_the_disk_did_not_take_is_written_later(tmp_path: Path) -> None:
    """A disk that was full for a while costs no verdict."""
    directory = str(tmp_path / "run")
    full = f"os.rename({directory!r}, {directory + '.away'!r}); open({directory!r}, 'w').close()"
    free = f"os.remove({directory!r}); os.rename({directory + '.away'!r}, {directory!r})"
    plugin = hook("pytest_runtest_teardown()", free, LAST)

    ended = end(tmp_path, plugin=plugin, before="import os", body=full)

    assert (ended.code, ended.outcome) == (0, Outcome.ACCEPTED), ended.said


@pytest.mark.parametrize("mask", [0o022, 0o000])
def test_what_a_run_leaves_is_for_its_owner_only(tmp_path: Path, mask: int) -> None:
    """Folders 0700, files 0600: records, pages, JUnit, pytest's report."""
    before = os.umask(mask)
    try:
        ended = end(tmp_path, run_dir=tmp_path / "made" / "deep" / "run")
    finally:
        os.umask(before)

    assert ended.code == 0, ended.said
    made = [tmp_path / "made", *(tmp_path / "made").rglob("*")]
    modes = {str(path.relative_to(tmp_path)): stat.S_IMODE(path.stat().st_mode) for path in made}
    assert {name for name in modes if "." in name} >= {f"made/deep/run/{name}" for name in ("report.html", "junit.xml")}
    assert modes == {name: 0o600 if (tmp_path / name).is_file() else 0o700 for name in modes}

"""Jenkinsfile and examples: their exit codes are the suite's, and every case is cleaned up."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
JENKINSFILE = (REPOSITORY / "Jenkinsfile").read_text()
EXAMPLES = REPOSITORY / "docs" / "examples"


def function(name: str) -> str:
    """The body of one function of the Jenkinsfile."""
    found = re.search(rf"^void {name}\(.*?\) \{{\n(.*?)^\}}", JENKINSFILE, re.DOTALL | re.MULTILINE)
    assert found, name
    return found.group(1)


def case(code: str) -> str:
    """What is done for an exit code."""
    return function("judge").split(f"case {code}:")[1].split("break")[0]


def test_brackets_are_closed():
    """Outside of strings and comments."""
    text = re.sub(r"'''.*?'''|'[^'\n]*'|\"[^\"\n]*\"|//[^\n]*|/\[A-Za[^\n]*?\*/", "", JENKINSFILE, flags=re.DOTALL)
    for left, right in ("{}", "()", "[]"):
        assert text.count(left) == text.count(right), left


def test_only_rejected_is_red():
    """1 fails the build; 69 and all others are unstable and say that they are no rejection."""
    assert "buildResult: 'FAILURE'" in case("1")
    assert "REJECTED" in case("1")
    assert "unstable(" in case("69")
    assert "no rejection" in case("69")
    assert "FAILURE" not in JENKINSFILE.replace(case("1"), "").replace("so not FAILURE", "")
    assert "unstable(" in function("judge").split("default:")[1]


def test_cleaning_and_publishing_happen_in_every_case():
    """In `finally`, the cleaning first, both within the lock."""
    after = function("acceptHere").split("finally {")[1]

    assert after.index("removeWhatIsLeft(cloud)") < after.index("publish(cloud)")
    assert function("acceptance").index("lock(") < function("acceptance").index("acceptHere(cloud)")
    for step in ("junit(", "archiveArtifacts(", "publishHTML(", "reports trend"):
        assert step in function("publish")


def test_no_parameter_becomes_code():
    """Groovy puts nothing into a shell script: each is in single quotes."""
    assert re.findall(r"\bsh[ (][^'\n]*\"", JENKINSFILE) == []
    assert JENKINSFILE.count("sh ") + JENKINSFILE.count("sh(") >= 4


@pytest.mark.parametrize(
    "words", ["", "not a record", '{"kind": "end", "outcome": "accepted"}', '{"kind": "end", "outcome": "rejected"}']
)
def test_a_python_that_cannot_start_is_no_rejection(words, tmp_path):
    """The job's own shell script, with a pytest that ends with 1."""
    script = re.search(r"script: '''\n(.*?)'''", JENKINSFILE, re.DOTALL).group(1).replace("\\\\\n", "\\\n")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    pytest_program = tmp_path / ".venv" / "bin" / "pytest"
    pytest_program.write_text("#!/bin/sh\nexit 1\n")
    pytest_program.chmod(0o755)
    (tmp_path / "records.jsonl").write_text(words + "\n")
    variables = {
        "PATH": "/usr/bin:/bin",
        "LIMIT": "1",
        "LAST_RESORT": "1m",
        "CLOUD": "lab",
        "RUN_DIR": ".",
        "OPTIONS": "",
    }

    done = subprocess.run(
        ["sh", "-xe", "-c", script], cwd=tmp_path, env=variables, capture_output=True, check=False, timeout=60
    )

    assert done.returncode == (1 if "rejected" in words else 71), done.stderr


@pytest.mark.parametrize(
    "file", [REPOSITORY / "Jenkinsfile", *sorted(EXAMPLES.glob("*.yml"))], ids=lambda file: file.name
)
def test_the_suite_keeps_the_limit_itself(file):
    """An interruption loses what is not looked at yet; the limit's own end names it, and cleans up."""
    text = " ".join(file.read_text(encoding="utf-8").split())
    command = text.split("timeout --foreground")[1].split("||")[0].split("# runs after")[0]

    assert "--time-limit" in command
    assert "--signal=INT" in command
    last, limit = re.search(r"kill-after=5m (\d+)m", command), re.search(r"--time-limit (\d+)", command)
    assert (
        last and limit and int(last.group(1)) >= int(limit.group(1)) + 30
    ) or "LIMIT_MINUTES.toInteger() + 60" in text


def test_gitlab_lets_only_a_rejection_fail():
    """All codes of "could not judge", and not 1."""
    job = yaml.safe_load((EXAMPLES / "gitlab-ci.yml").read_text())["acceptance"]

    assert {2, 3, 4, 69, 70} <= set(job["allow_failure"]["exit_codes"])
    assert 1 not in job["allow_failure"]["exit_codes"]
    assert any("--cleanup" in line for line in job["after_script"])
    assert job["artifacts"]["when"] == "always"


def test_github_cleans_up_and_publishes_always():
    """Whatever the acceptance came to."""
    steps = yaml.safe_load((EXAMPLES / "github-actions.yml").read_text())["jobs"]["accept"]["steps"]
    after = steps[[step.get("id") for step in steps].index("accept") + 1 :]

    assert all(step["if"] == "always()" for step in after)
    assert any("--cleanup" in step.get("run", "") for step in after)
    assert any("upload-artifact" in step.get("uses", "") for step in after)

"""What a host, a run's file or a stranger's folder says is shown in the terminal, and sends nothing to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from made_runs import check, made_run, write

from judging.records import Verdict
from preflight.cli import main as preflight
from reports.__main__ import main
from tests.forked_pytest import run_pytest

REPOSITORY = Path(__file__).resolve().parents[2]
HOSTILE = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202e\x08"
SUITE = f'''
import warnings
import pytest
from access.errors import ConnectError, NotVerified, Rejected
from access.host import CommandOutput
BAD = {HOSTILE!r}

@pytest.mark.check("made.rejected")
def test_rejected(notes):
    """A fact."""
    print(BAD)
    warnings.warn(BAD)
    notes.command(CommandOutput("here" + BAD, "true", 0, BAD, BAD, 0.1))
    raise Rejected("cause", "found " + BAD, fix="do " + BAD, file="/etc/" + BAD)

@pytest.mark.check("made.assertion")
def test_assertion(notes):
    """A fact."""
    assert BAD == "good", BAD

@pytest.mark.check("made.error")
@pytest.mark.parametrize("place", ["one"], ids=["one" + BAD])
def test_error(notes, place):
    """A fact."""
    raise ConnectError("no session: " + BAD)

@pytest.mark.check("made.skipped")
def test_skipped(notes):
    """A fact."""
    pytest.skip(BAD)

@pytest.mark.check("made.not_verified")
def test_not_verified(notes):
    """A fact."""
    raise NotVerified(BAD)

@pytest.fixture
def torn():
    yield
    raise RuntimeError(BAD)

@pytest.mark.check("made.torn")
def test_torn(notes, torn):
    """A fact."""
    notes.command(CommandOutput("here", "true", 0, "", "", 0.1))
'''


def acts(text: str) -> list[str]:
    """Characters that do something."""
    return [character for character in text if not (character.isprintable() or character in "\n\t")]


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "xdist"])
def test_what_a_host_says_in_a_run_acts_nowhere(tmp_path: Path, workers: tuple[str, ...]) -> None:
    """In tracebacks, captured output, warnings, reasons to skip, causes."""
    (tmp_path / "test_made.py").write_text(SUITE, encoding="utf-8")
    plugins = [word for name in ("cloud_fixtures", "record_fixtures", "report_fixtures") for word in ("-p", name)]
    suite = [str(tmp_path / "test_made.py"), "-c", str(REPOSITORY / "pytest.ini")]
    options = ["--rootdir", str(REPOSITORY), "-p", "no:cacheprovider", "-rA", "--run-dir", str(tmp_path / "run")]

    done = run_pytest(*suite, *options, *plugins, *workers)

    assert done.returncode == 1
    assert "␛[2J" in done.stdout
    assert not acts(done.stdout + done.stderr)


def test_reports_show_hostile_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    """list, load, compare, trend, page and certify of a run whose names and messages are hostile."""
    monkeypatch.chdir(tmp_path)
    bad = check("cuda.p2p", "one" + HOSTILE, Verdict.FAILED, message=HOSTILE)
    run = made_run(more=[bad], cloud="cloud" + HOSTILE)
    other = replace(run, header=replace(run.header, id="other" + HOSTILE, environment={"release": HOSTILE}))
    database = ["--database", f"sqlite:///{tmp_path}/runs.db"]
    write(run, tmp_path / "one")
    write(other, tmp_path / "two")

    for words in (
        ["load", str(tmp_path / "one"), str(tmp_path / "two"), *database],
        ["list", *database],
        ["compare", str(tmp_path / "one"), str(tmp_path / "two"), *database],
        ["trend", *database],
        ["page", str(tmp_path / "one")],
        ["certify", str(tmp_path / "one"), "--key", "no" + HOSTILE],
        ["page", "nowhere" + HOSTILE],
    ):
        main(words)

    told = capsys.readouterr()
    assert "␛[2J" in told.out + told.err
    assert not acts(told.out + told.err)


def test_a_strangers_folder_is_shown_and_does_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Names of files, and what their attestation says."""
    from made_keys import SIGNER, public_file

    from reports.certification.attestation import signed, statement
    from reports.certification.certificate import ATTESTATION

    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / ("more" + HOSTILE.replace("/", ""))).touch()
    payload = statement({"lost" + HOSTILE: "0" * 64}, "PASSED", {"passedTests": []}, {})
    (folder / ATTESTATION).write_bytes(signed(payload, SIGNER))

    assert main(["verify", str(folder), "--public-key", str(public_file(tmp_path))]) == 1

    told = capsys.readouterr()
    assert told.out.count("␛[2J") == 2
    assert not acts(told.out + told.err)


def test_preflight_shows_hostile_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A path and a value of an environment file; JSON stays what programs read."""
    (tmp_path / ("env" + HOSTILE + ".yaml")).write_text("parameter_defaults:\n  NovaPCIPassthrough: '\\e[2J'\n")

    preflight([str(tmp_path)])
    preflight([str(tmp_path / ("none" + HOSTILE))])

    told = capsys.readouterr()
    assert not acts(told.out + told.err)
    preflight([str(tmp_path), "--format", "json"])
    assert isinstance(json.loads(capsys.readouterr().out), dict)


def test_the_labs_output_acts_nowhere(tmp_path: Path) -> None:
    """A service's log, and an error that quotes what was asked for."""
    home = tmp_path / "lab"
    logs = home / "default" / "log"
    logs.mkdir(parents=True)
    (logs / "nova-api.log").write_text(f"GET /{HOSTILE}\n", encoding="utf-8")
    program = "import sys; from lab.cli import run; sys.exit(run(sys.argv[1:]))"
    environment = {**os.environ, "GPU_LAB_HOME": str(home)}
    commands = (["logs", "nova-api"], ["logs", "no" + HOSTILE])

    done = [
        subprocess.run(
            [sys.executable, "-c", program, *words],
            cwd=REPOSITORY,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        for words in commands
    ]

    assert all("␛[2J" in each.stdout + each.stderr for each in done), [each.stderr for each in done]
    assert not acts("".join(each.stdout + each.stderr for each in done))

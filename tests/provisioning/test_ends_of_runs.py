"""How runs and clean-ups end: in time, one at a time, and with everything written before anything is removed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from cloud_file.loading import CLOUDS_DIRECTORY
from provisioning.cloud_lock import CloudLock
from provisioning.ledger import Ledger

REPOSITORY = Path(__file__).resolve().parents[2]
COULD_NOT_JUDGE, CLEANUP_FAILED, INTERRUPTED = 69, 70, 2
LIMIT_S = 120
OPTIONS = ("-q", "-p", "no:cacheprovider")

Process = subprocess.Popen[str]


class ExistingCloud:
    """A cloud of kind existing whose Keystone is a socket of the test: it takes connections and answers nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keystone = socket.create_server(("127.0.0.1", 0))
        self.keystone.settimeout(LIMIT_S)
        self.runs = folder / "runs"
        self.run = folder / "run"
        content = yaml.safe_load((CLOUDS_DIRECTORY / "examples" / "existing.yaml").read_text(encoding="utf-8"))
        content |= {"runs_directory": str(self.runs), "openstack": {"cloud": "made"}, "name": "made"}
        self.file = folder / "made.yaml"
        self.file.write_text(yaml.safe_dump(content), encoding="utf-8")
        auth = {"auth_url": f"http://127.0.0.1:{self.keystone.getsockname()[1]}/v3", "username": "admin"}
        auth |= {"password": "x", "project_name": "admin", "user_domain_name": "Default"}
        auth["project_domain_name"] = "Default"
        (folder / "clouds.yaml").write_text(yaml.safe_dump({"clouds": {"made": {"auth": auth}}}), encoding="utf-8")

    @property
    def ledger(self) -> Ledger:
        """Of what was made in it."""
        return Ledger(self.runs / "ledger.jsonl")

    @contextmanager
    def pytest(self, *words: str) -> Iterator[Process]:
        """A run of the suite against it."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "OS_"))}
        environment.pop("GPU_ACCEPTANCE", None)
        environment["OS_CLIENT_CONFIG_FILE"] = str(self.folder / "clouds.yaml")
        command = [sys.executable, "-m", "pytest", *words, "--cloud", str(self.file), *OPTIONS]
        process = subprocess.Popen(
            command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def end(self) -> dict[str, Any]:
        """The last line of the run's records."""
        lines = (self.run / "records.jsonl").read_text(encoding="utf-8").splitlines()
        found: dict[str, Any] = json.loads(lines[-1])
        return found


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[ExistingCloud]:
    """A cloud in which a project is open in the ledger."""
    made = ExistingCloud(tmp_path)
    made.ledger.intend("project", "gpuacc-left")
    yield made
    made.keystone.close()


def suite_of(folder: Path, body: str) -> str:
    """A suite that uses the cloud, and whose test is `body`."""
    file = folder / "test_made.py"
    file.write_text(
        "import threading\n\nimport pytest\nfrom access.host import CommandOutput\n\n\n"
        "def looked(notes):\n"
        '    notes.command(CommandOutput("here", "true", 0, "", "", 0.1))\n\n\n' + body,
        encoding="utf-8",
    )
    return str(file)


RECORDING = ("cloud_fixtures", "limit_fixtures", "record_fixtures")
PLUGINS = (*RECORDING, "provisioning_fixtures", "report_fixtures", "junit_fixtures")
CHECK = '@pytest.mark.check("made.{name}")\ndef test_{name}(notes, cloud):\n    """A fact."""\n    looked(notes)\n'


def options(cloud: ExistingCloud, plugins: tuple[str, ...] = PLUGINS) -> list[str]:
    """Of a run with the acceptance's plugins, outside of suites/."""
    named = [word for name in plugins for word in ("-p", name)]
    return ["-c", str(REPOSITORY / "pytest.ini"), "--rootdir", str(REPOSITORY), *named, "--run-dir", str(cloud.run)]


def test_all_is_written_before_anything_is_removed(cloud: ExistingCloud, tmp_path: Path):
    suite = suite_of(tmp_path, CHECK.format(name="first"))
    with cloud.pytest(suite, *options(cloud)) as run:
        cloud.keystone.accept()  # the clean-up logs in, and waits

        assert cloud.end()["kind"] == "end"
        assert "<html" in (cloud.run / "acceptance.html").read_text(encoding="utf-8").lower()
        assert (cloud.run / "report.html").exists()
        assert "testcase" in (cloud.run / "junit.xml").read_text(encoding="utf-8")
        assert run.poll() is None

        run.send_signal(signal.SIGINT)
        said, _ = run.communicate(timeout=LIMIT_S)

    assert run.returncode == CLEANUP_FAILED
    assert "the clean-up was interrupted" in said
    assert "--cleanup" in said
    assert "Traceback" not in said
    assert [entry.name for entry in cloud.ledger.open_entries()] == ["gpuacc-left"]


def test_a_cleanup_that_loses_keystone_says_so(cloud: ExistingCloud):
    cloud.keystone.close()
    with cloud.pytest("suites/", "--cleanup") as run:
        said, _ = run.communicate(timeout=LIMIT_S)

    assert run.returncode == CLEANUP_FAILED
    assert "error: cannot log in to made" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_cleanup_that_is_interrupted_says_how_to_go_on(cloud: ExistingCloud, number: signal.Signals):
    with cloud.pytest("suites/", "--cleanup") as run:
        cloud.keystone.accept()
        run.send_signal(number)
        said, _ = run.communicate(timeout=LIMIT_S)

    assert run.returncode == INTERRUPTED
    assert "interrupted: what is not removed yet is recorded in" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(("words", "code"), [(("--cleanup",), CLEANUP_FAILED), ((), COULD_NOT_JUDGE)])
def test_a_cloud_in_use_is_left_alone(cloud: ExistingCloud, tmp_path: Path, words: tuple[str, ...], code: int):
    lock = CloudLock(cloud.runs)
    lock.take("the run night-1", wait_s=0, say=pytest.fail)
    suite = suite_of(tmp_path, CHECK.format(name="first"))
    with cloud.pytest(suite, *options(cloud), "--wait-for-cloud", "0", *words) as run:
        said, _ = run.communicate(timeout=LIMIT_S)
    lock.release()

    assert run.returncode == code
    assert "waiting for at most 0 minutes" in said
    assert f"in use by the run night-1 (process {os.getpid()}" in said
    assert "Traceback" not in said
    assert cloud.ledger.open_entries()


def test_a_suite_that_does_not_touch_the_cloud_neither_waits_nor_removes(cloud: ExistingCloud, tmp_path: Path):
    lock = CloudLock(cloud.runs)
    lock.take("the run night-1", wait_s=0, say=pytest.fail)
    suite = suite_of(tmp_path, CHECK.format(name="first").replace(", cloud", ""))
    with cloud.pytest(suite, *options(cloud)) as run:
        said, _ = run.communicate(timeout=LIMIT_S)
    lock.release()

    assert run.returncode == 0, said
    assert cloud.ledger.open_entries()


BEFORE = CHECK.format(name="before").replace(", cloud", "") + '    assert False, "wrong"\n\n\n'
HANGING = '@pytest.mark.check("made.hangs")\ndef test_hangs({fixtures}):\n    """A fact."""\n'
HANGS = {
    "a fixture": (
        '@pytest.fixture(scope="session")\ndef slow():\n    threading.Event().wait()\n\n\n'
        + HANGING.format(fixtures="slow")
    ),
    "a program, and whatever is raised is caught": HANGING.format(fixtures="notes")
    + "    import subprocess\n\n    try:\n        subprocess.run(['sleep', '600'], check=True)\n"
    + "    except Exception:\n        looked(notes)\n",
    "a lock": HANGING.format(fixtures="tmp_path")
    + "    import fcntl\n\n    one, two = (tmp_path / 'x').open('w'), (tmp_path / 'x').open('w')\n"
    + "    fcntl.flock(one, fcntl.LOCK_EX)\n    fcntl.flock(two, fcntl.LOCK_EX)\n",
}
ALONE = [(hang, ("--time-limit", "0.02")) for hang in HANGS]


@pytest.mark.parametrize(("hang", "words"), [*ALONE, ("a lock", ("--time-limit", "0.3", "-n", "1"))])
def test_a_run_ends_at_its_time_limit(cloud: ExistingCloud, tmp_path: Path, hang: str, words: tuple[str, ...]):
    """With workers, the time that they take to start counts."""
    after = CHECK.format(name="after").replace(", cloud", "")
    suite = suite_of(tmp_path, BEFORE + HANGS[hang] + "\n\n" + after)
    with cloud.pytest(suite, *options(cloud, RECORDING), *words) as run:
        said, _ = run.communicate(timeout=LIMIT_S)

    lines = [json.loads(line) for line in (cloud.run / "records.jsonl").read_text(encoding="utf-8").splitlines()]
    verdicts = {line["id"]: (line["verdict"], line["message"]) for line in lines if line["kind"] == "check"}
    reached = f"skipped: the time limit of {words[1]} minutes was reached"
    assert run.returncode == 1, said
    assert verdicts["made.before"][0] == "failed"
    assert verdicts["made.hangs"] == ("not verified", f"{reached} while it ran")
    assert verdicts["made.after"] == ("not verified", f"{reached} before it began")
    assert lines[-1]["outcome"] == "rejected"
    assert "REJECTED  made.before" in said


@pytest.mark.parametrize("value", ["-1", "nan", "soon"])
def test_a_limit_is_a_number_of_minutes(cloud: ExistingCloud, value: str):
    with cloud.pytest("suites/", "--time-limit", value) as run:
        said, _ = run.communicate(timeout=LIMIT_S)

    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--time-limit" in said


def test_without_credentials_every_check_is_blocked_whoever_would_have_asked(cloud: ExistingCloud, tmp_path: Path):
    cloud.keystone.close()
    cloud.ledger.gone(cloud.ledger.open_entries()[0])
    check = '@pytest.mark.check("made.{name}", api=True)\ndef test_{name}({name}):\n    """A fact."""\n\n\n'
    suite = suite_of(tmp_path, check.format(name="admin") + check.format(name="tenant"))
    plugins = (*RECORDING, "provisioning_fixtures", "lifecycle_fixtures")
    with cloud.pytest(suite, *options(cloud, plugins)) as run:
        said, _ = run.communicate(timeout=LIMIT_S)

    lines = [json.loads(line) for line in (cloud.run / "records.jsonl").read_text(encoding="utf-8").splitlines()]
    checks = {line["id"]: line for line in lines if line["kind"] == "check"}
    assert run.returncode == COULD_NOT_JUDGE, said
    for owner in ("admin", "tenant"):
        assert checks[f"made.{owner}"]["verdict"] == "blocked"
        why = f"there are no credentials of the {owner}: credentials failed: cannot log in"
        assert why in checks[f"made.{owner}"]["message"]

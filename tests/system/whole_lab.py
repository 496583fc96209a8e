"""A lab with control plane and machines, and the acceptance run against it as a user runs it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from judging.records import Verdict
from reports.run import read
from tests.forked_pytest import environment_of_a_user

REPOSITORY = Path(__file__).resolve().parents[2]
RUN_LIMIT_S = 300


def _interruptible() -> None:
    """What a shell starts in the background ignores SIGINT, and so would all that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclass(frozen=True)
class Run:
    """How one acceptance ended."""

    exit_code: int
    output: str
    verdicts: Mapping[tuple[str, str], Verdict]
    """By check id and place."""

    def failed(self) -> set[tuple[str, str]]:
        """Checks that found the cloud wrong."""
        return {key for key, verdict in self.verdicts.items() if verdict is Verdict.FAILED}


@dataclass(frozen=True)
class WholeLab:
    """A lab's home, the cloud file that describes it, and the environment that its commands run in."""

    home: Path
    cloud_file: Path
    environment: Mapping[str, str]

    @classmethod
    def in_directory(cls, home: Path) -> WholeLab:
        """A lab that is not started yet; its packages are those that `make setup` installed."""
        cache = REPOSITORY / ".lab" / "cache"
        if not (cache / "userland").exists():
            pytest.fail("the lab is not installed; run: make setup")
        (home / "cache").symlink_to(cache)
        made = cls(
            home,
            home / "cloud.yaml",
            {**environment_of_a_user(), "GPU_LAB_HOME": str(home), "OS_CLIENT_CONFIG_FILE": str(home / "clouds.yaml")},
        )
        made.cloud("cloud")
        return made

    def cloud(self, name: str, **changes: Any) -> Path:
        """A cloud file beside the lab: the embedded one with some sections changed."""
        content = yaml.safe_load((REPOSITORY / "clouds" / "lab.yaml").read_text(encoding="utf-8"))
        content["runs_directory"] = str(self.home / "runs")
        for key, value in changes.items():
            merge = isinstance(value, dict) and isinstance(content.get(key), dict)
            content[key] = {**content[key], **value} if merge else value
        file = self.home / f"{name}.yaml"
        file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        return file

    @property
    def ledger(self) -> Path:
        """What provisioning made and not yet removed."""
        return self.home / "runs" / "ledger.jsonl"

    def arguments(self, *options: str, cloud: Path | str | None = None) -> list[str]:
        """The command line of an acceptance."""
        where = ["--cloud", str(cloud or self.cloud_file), "--run-dir", str(self.home / "run")]
        return [sys.executable, "-m", "pytest", "suites/", *where, "-p", "no:cacheprovider", *options]

    def accept(self, *options: str, cloud: Path | str | None = None) -> Run:
        """Run the suites to their end."""
        records = self.home / "run" / "records.jsonl"
        records.unlink(missing_ok=True)
        done = self._run(self.arguments("-q", *options, cloud=cloud))
        checks = list(read(records).checks) if records.exists() else []
        return Run(done.returncode, done.stdout, {(check.id, check.place): check.verdict for check in checks})

    def accept_until(self, words: str, number: signal.Signals, *options: str) -> Run:
        """Run the suites and send a signal as soon as the progress shows some words."""
        process = subprocess.Popen(
            self.arguments(*options),
            cwd=REPOSITORY,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=_interruptible,
        )
        lines = []
        sent = False
        for line in process.stdout or ():
            lines.append(line)
            if words in line and not sent:
                process.send_signal(number)
                sent = True
        code = process.wait(timeout=RUN_LIMIT_S)
        assert sent, "".join(lines)
        return Run(code, "".join(lines), {})

    def command(self, *words: str) -> str:
        """`python -m lab …`, which must succeed."""
        done = self.try_command(*words)
        assert done.returncode == 0, f"{words}: {done.stdout}"
        return done.stdout

    def try_command(self, *words: str, limit_s: int = RUN_LIMIT_S) -> subprocess.CompletedProcess[str]:
        """`python -m lab …`, however it ends; its errors stand in the output."""
        return self._run([sys.executable, "-m", "lab", *words], limit_s)

    def on(self, host: str, command: str) -> None:
        """Run a command as root of a machine; a reboot cuts the connection, so its exit code says nothing."""
        self._run([sys.executable, "-m", "lab", "ssh", host, f"sudo sh -c '{command}'"])

    def _run(self, command: list[str], limit_s: int = RUN_LIMIT_S) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=REPOSITORY,
            env=self.environment,
            timeout=limit_s,
            check=False,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )


@contextmanager
def running_lab(home: Path) -> Iterator[WholeLab]:
    """A running lab in which nothing is provisioned yet; it is removed in the end."""
    made = WholeLab.in_directory(home)
    try:
        made.command("up")
        yield made
    finally:
        made.command("destroy")

"""The process that runs acceptances for the fault runner, seen from the runner."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from faults.score import Answer
from lab.errors import LabError
from lab.paths import REPOSITORY

RUN_LIMIT_S = 420
SUITE_PYTHON = Path(os.environ.get("GPU_SUITE_PYTHON") or REPOSITORY / ".venv" / "bin" / "python")


class Acceptances:
    """The process that runs acceptances, in the suite's environment."""

    def __init__(self, home: Path) -> None:
        drop = ("PYTEST_", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "GPU_ACCEPTANCE", "OS_")
        environment = {key: value for key, value in os.environ.items() if not key.startswith(drop)}
        self._process = subprocess.Popen(
            [str(SUITE_PYTHON), str(Path(__file__).with_name("acceptances.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
            env={**environment, "GPU_LAB_HOME": str(home)},
        )

    def run(self, arguments: Iterable[str], directory: Path) -> Answer:
        """One acceptance.

        Raises:
            LabError: the process ended.
        """
        asked = {"arguments": list(arguments), "run": str(directory), "limit_s": RUN_LIMIT_S}
        assert self._process.stdin is not None  # noqa: S101  opened above
        assert self._process.stdout is not None  # noqa: S101
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise LabError(f"the acceptances' process ended with {self._process.wait()}")
        return Answer(**json.loads(line))

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

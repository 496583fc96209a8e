"""docs/contributing/lab-service.md: the example becomes a running service as one new file, with no other change."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab_machines import DECLARATION, wait_until

from lab import state as lab_state
from lab.paths import REPOSITORY, LabPaths
from lab.services.readiness import answers
from lab.state import LabState

PAGE = REPOSITORY / "docs" / "contributing" / "lab-service.md"
CONFIGURE = (
    "from lab.paths import LabPaths\n"
    "from lab.services import control\n"
    "from lab.state import load\n"
    "control.write_configuration(load(LabPaths.of('clock')))"
)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the lab's code with the page's example in its place."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(REPOSITORY / "lab", folder / "lab", ignore=shutil.ignore_patterns("tools", "__pycache__"))
    for plugin in (folder / "lab" / "plugins").iterdir():
        (folder / plugin.name).symlink_to(plugin)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert len(blocks) == 1
    (folder / "lab/services/projects/clock.py").write_text(blocks[0], encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> LabState:
    """A lab of its own, with no process yet."""
    real = LabPaths.of()
    if not (real.openstack_env / "bin/python").exists():
        pytest.skip("the lab's environment is not installed yet: make accept, or python -m lab install")
    home = tmp_path_factory.mktemp("lab-home")
    (home / "cache").symlink_to(real.cache)
    made = lab_state.create(LabPaths(home, "clock"), DECLARATION)
    made.paths.sockets.mkdir(mode=0o700, exist_ok=True)
    return made


def _command(state: LabState, copy: Path, *arguments: str) -> dict[str, Any]:
    variables = {**os.environ, "PYTHONPATH": str(copy), "GPU_LAB_HOME": str(state.paths.home)}
    return {"args": [str(state.paths.openstack_env / "bin/python"), *arguments], "env": variables, "cwd": copy}


@pytest.fixture
def clock(state: LabState, copy: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The service, configured and started by the lab's own code."""
    subprocess.run(**_command(state, copy, "-c", CONFIGURE), check=True)
    arguments = ["-m", "lab.services.process", "clock", "clock", state.marker]
    with (state.paths.logs / "clock.out").open("wb") as log:
        process = subprocess.Popen(**_command(state, copy, *arguments), stdout=log, stderr=log)
    yield process
    process.terminate()
    process.wait(timeout=10)
    shutil.rmtree(state.paths.sockets, ignore_errors=True)


def test_the_pages_example_becomes_a_service_that_answers(state: LabState, clock: subprocess.Popen[bytes]) -> None:
    """The example, as one new file, is configured, started and answers with what its configuration says."""
    url = state.api_url(8990)
    wait_until(lambda: clock.poll() is not None or answers(url))

    assert clock.poll() is None, (state.paths.logs / "clock.out").read_text()
    with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310  an http URL of ours
        assert json.load(response) == {"version": "1.0", "time_zone": "UTC"}
    assert (state.paths.sockets / "clock.pid").read_text() == str(clock.pid)
    assert (state.paths.etc / "clock.conf").stat().st_mode & 0o777 == 0o600


def test_the_pages_example_starts_after_the_others_and_enters_the_catalog(state: LabState, copy: Path) -> None:
    """The registry has the example in the last place, with an endpoint, and the real services before it."""
    code = (
        "from lab.services.registry import services\n"
        "print([(service.name, service.endpoint and service.endpoint.kind) for service in services()])"
    )
    listed = subprocess.run(**_command(state, copy, "-c", code), check=True, capture_output=True, text=True).stdout

    assert listed.strip() == str(
        [
            ("nova", "compute"),
            ("neutron", "network"),
            ("heat", "orchestration"),
            ("keystone", None),
            ("placement", "placement"),
            ("glance", "image"),
            ("clock", "clock"),
        ]
    )

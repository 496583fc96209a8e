"""docs/preflight.md: its examples can be used as they stand, and it names every deployer."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from preflight.cli import main
from preflight.docs import page
from preflight.kinds import OF_DIALECT
from preflight.words import dialects

BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```", re.M | re.S)
COMMAND = re.compile(r"python -m preflight (?P<arguments>.*?)\s*(?:>|\|\||$)", re.M)
NAMES = {"nova": "nova.conf", "rhoso": "RHOSO", "juju": "charms", "kolla": "kolla-ansible", "tripleo": "TripleO"}


def test_the_examples_are_yaml() -> None:
    """The pre-commit and GitHub examples parse, and have what their tools ask for."""
    made = [yaml.safe_load(found["text"]) for found in BLOCK.finditer(page()) if found["language"] == "yaml"]

    hook = made[0]["repos"][0]["hooks"][0]
    assert {"id", "name", "entry", "language"} <= hook.keys()
    assert re.search(hook["files"], "environments/gpu.yaml")
    assert made[1]["jobs"]["preflight"]["steps"]


def test_the_commands_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command of the examples is taken by the program."""
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / "gpu.yaml").write_text("parameter_defaults: {}\n")
    monkeypatch.chdir(tmp_path)
    examples = "".join(found["text"] for found in BLOCK.finditer(page()))
    commands = [found["arguments"] for found in COMMAND.finditer(examples)]

    assert len(commands) == 4
    for arguments in commands:
        assert main(shlex.split(arguments)) == 0


@pytest.mark.parametrize("dialect", dialects())
def test_every_deployer_is_on_the_page(dialect: str) -> None:
    """What is read, and what is not, is said for each deployer whose words we have."""
    table = page().split("deployer by deployer", 1)[1].split("## In CI", 1)[0]

    assert NAMES.get(dialect, dialect).lower() in table.lower()


def test_every_deployer_has_a_kind() -> None:
    """Files of each deployer are counted under a name in the summary."""
    with_own_kind = {"tripleo", "kolla", "devstack"}

    assert set(OF_DIALECT) == set(dialects()) - with_own_kind

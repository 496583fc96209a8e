"""`python -m cloud_file discover` and `check`, as people type them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
GOOD, USAGE, OPEN = 0, 64, 69


def _clouds(folder: Path, *names: str, port: int = 9) -> None:
    auth = {"auth_url": f"http://127.0.0.1:{port}/v3", "username": "a", "password": "topsecret", "project_name": "a"}
    (folder / "clouds.yaml").write_text(yaml.safe_dump({"clouds": {name: {"auth": auth} for name in names}}))


def _run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OS_")}
    environment["OS_CLIENT_CONFIG_FILE"] = str(folder / "clouds.yaml")
    command = [sys.executable, "-m", "cloud_file", *words]
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_twenty_clouds_are_listed_and_none_is_guessed(tmp_path: Path) -> None:
    """Nothing is written."""
    _clouds(tmp_path, *(f"cloud{number:02d}" for number in range(1, 21)))

    done = _run(tmp_path, "discover", "mine", "--to", str(tmp_path / "mine.yaml"))

    assert done.returncode == USAGE
    assert "clouds.yaml has 20 clouds: cloud01, cloud02" in done.stderr
    assert "cloud20" in done.stderr
    assert "--os-cloud NAME" in done.stderr
    assert not (tmp_path / "mine.yaml").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--os-cloud", "other"), "has no cloud 'other'; it has one"),
        (("--inventory", "/nowhere/hosts"), "there is no inventory /nowhere/hosts"),
        (("--kubeconfig", "/nowhere/config"), "there is no kubeconfig"),
        (("--host", "a=b c"), "NAME=ADDRESS"),
    ],
)
def test_what_cannot_be_used_is_told(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    """Before anything is asked."""
    _clouds(tmp_path, "one")

    done = _run(tmp_path, "discover", "mine", "--to", str(tmp_path / "mine.yaml"), *words)

    assert (done.returncode, said in done.stderr) == (USAGE, True), done.stderr
    assert not (tmp_path / "mine.yaml").exists()


def test_where_nothing_answers_a_file_of_questions_is_written(tmp_path: Path) -> None:
    """Neither the APIs nor one address of the inventory: everything is a question, and no secret is in the file."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        _clouds(tmp_path, "one", port=port)
        inventory = tmp_path / "hosts"
        inventory.write_text(
            f"[control]\ncontrol1\n[gpu]\ngpu[1:3]\n[all:vars]\nansible_host=127.0.0.1\nansible_port={port}\n"
            "ansible_user=root\nansible_password=topsecret\n"
        )
        file = tmp_path / "mine.yaml"

        done = _run(tmp_path, "discover", "mine", "--inventory", str(inventory), "--to", str(file))
        checked = _run(tmp_path, "check", str(file))

    assert done.returncode == OPEN
    content = file.read_text()
    assert "topsecret" not in content + done.stdout + done.stderr
    assert "the APIs were not seen" in content
    assert "not looked at: cannot reach HOST" in content
    assert checked.returncode == USAGE
    assert "still open: the APIs were not seen" in checked.stderr
    assert "gpus: is needed" in checked.stderr


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    """Said at once; its owner may say --force."""
    _clouds(tmp_path, "one")
    (tmp_path / "mine.yaml").write_text("kind: host\n")

    done = _run(tmp_path, "discover", "mine", "--to", str(tmp_path / "mine.yaml"))

    assert done.returncode == USAGE
    assert "is there already and stays as it is" in done.stderr
    assert (tmp_path / "mine.yaml").read_text() == "kind: host\n"


def test_check_tells_what_a_good_file_declares(tmp_path: Path) -> None:
    """One line."""
    done = _run(tmp_path, "check", "clouds/examples/twelve-by-eight.yaml")

    assert (done.returncode, done.stdout) == (
        GOOD,
        "clouds/examples/twelve-by-eight.yaml: no mistakes: 15 hosts, 96 cards, 12 instances\n",
    )


def test_check_tells_all_mistakes_with_their_lines(tmp_path: Path) -> None:
    """As a run would."""
    file = tmp_path / "mine.yaml"
    file.write_text("kind: host\nhosts:\n  - {name: 'gpu[1:2]', adress: 192.0.2.1}\n")

    done = _run(tmp_path, "check", str(file))

    assert done.returncode == USAGE
    assert "line 3: hosts[0].adress: no such key" in done.stderr
    assert "line 3: hosts[0]: needs gpus" in done.stderr

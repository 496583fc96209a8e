"""What a cloud does not declare is not asked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml

from cloud_file.loading import CLOUDS_DIRECTORY

REPOSITORY = Path(__file__).resolve().parents[2]


def _collected(cloud: Path) -> str:
    command = [sys.executable, "-m", "pytest", "suites/", "--cloud", str(cloud), "--collect-only", "-q"]
    variables = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider"], cwd=REPOSITORY, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_without_controllers_nothing_is_read_from_them(tmp_path: Path) -> None:
    """RHOSO's control plane has no host to log in to: its checks by the API and those of computes are left."""
    data = yaml.safe_load((CLOUDS_DIRECTORY / "examples" / "existing.yaml").read_text(encoding="utf-8"))
    with_controller = tmp_path / "whole.yaml"
    with_controller.write_text(yaml.safe_dump(data), encoding="utf-8")
    data["hosts"] = [host for host in data["hosts"] if host["role"] != "Controller"]
    without = tmp_path / "computes.yaml"
    without.write_text(yaml.safe_dump(data), encoding="utf-8")

    assert "test_nova_api_knows_every_alias[" in _collected(with_controller)
    left = _collected(without)
    assert "test_nova_api_knows_every_alias" not in left
    assert "test_placement_is_asked_for_cards_only_where_computes_report_them" not in left
    assert "test_nova_compute_knows_every_alias[gpu-1]" in left

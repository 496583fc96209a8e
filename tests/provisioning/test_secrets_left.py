"""After a cleanup no credentials stay beside the runs; records and history do."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from provisioning.secrets_left import FILES, forget


@pytest.fixture
def cloud(tmp_path: Path) -> Any:
    """A cloud's folder after a run that was kept."""
    for name in (*FILES, "runs.db", "measuring.lock"):
        (tmp_path / name).write_text("secret")
    (tmp_path / "reports").mkdir()
    return SimpleNamespace(runs=tmp_path)


def test_credentials_passwords_and_keys_are_removed(cloud: Any) -> None:
    """And nothing else; a second time there is nothing to do."""
    assert forget(cloud) == list(FILES)
    assert {path.name for path in cloud.runs.iterdir()} == {"runs.db", "measuring.lock", "reports"}
    assert forget(cloud) == []


def test_a_folder_that_was_never_made_is_no_mistake(tmp_path: Path) -> None:
    """A cleanup before the first run."""
    assert forget(SimpleNamespace(runs=tmp_path / "none")) == []  # type: ignore[arg-type]

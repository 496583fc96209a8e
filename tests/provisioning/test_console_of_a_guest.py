"""The host keys of an instance are learned from its console, and waited for only where they may still come."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from access.errors import WaitTimeout
from cloud_file.loading import load
from provisioning.openstack.guests import endpoint

SHOWN = "-----BEGIN SSH HOST KEY KEYS-----\nssh-ed25519 AAAA root@g\n-----END SSH HOST KEY KEYS-----\n"


class Nova:
    """Shows a console, and counts who looks."""

    def __init__(self, console: str) -> None:
        self.console = console
        self.looks = 0
        self.compute = self

    def get_server_console_output(self, server_id: str, length: int | None = None) -> dict[str, str]:
        """As Nova answers."""
        self.looks += 1
        return {"output": self.console}


def _endpoint(tmp_path: Path, nova: Nova) -> Any:
    cloud = load("lab")
    made: Any = SimpleNamespace(image=cloud.image, runs=tmp_path, guest_access=cloud.guest_access)
    return endpoint(made, nova, "g", "id", "192.0.2.7", tmp_path / "key", timeout_s=0)


def test_an_instance_that_had_its_time_is_looked_at_once(tmp_path: Path) -> None:
    """Nobody waits five more minutes for one that did not boot while its installation had half an hour."""
    nova = Nova("GRUB loading\n")

    with pytest.raises(WaitTimeout, match="host keys on the console of g"):
        _endpoint(tmp_path, nova)

    assert nova.looks == 1


def test_an_instance_whose_installation_failed_late_is_logged_in_to(tmp_path: Path) -> None:
    """Its keys stand on the console by then: why the installation failed can be looked up in it."""
    login = _endpoint(tmp_path, Nova(SHOWN))

    assert "ssh-ed25519 AAAA" in Path(login.known_hosts).read_text()

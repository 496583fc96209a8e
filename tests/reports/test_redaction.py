"""Secrets are hidden, and what only looks like one is not: evidence is worth what can be read of it."""

from __future__ import annotations

import pytest

from reports.redaction import HIDDEN, without_secrets


@pytest.mark.parametrize("line", ["password = hunter2", "admin_pass=hunter2", "export OS_PASSWORD=hunter2"])
def test_a_secret_is_hidden(line: str) -> None:
    """The name stays."""
    assert without_secrets(line).endswith(HIDDEN)
    assert "hunter2" not in without_secrets(line)


@pytest.mark.parametrize("line", ['passthrough_whitelist={"vendor_id": "10de"}', "pci_passthrough_devices = 2"])
def test_passthrough_is_no_password(line: str) -> None:
    """The option that this suite is about."""
    assert without_secrets(line) == line

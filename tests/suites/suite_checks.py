"""The checks of the suites, by the layers of their ids."""

from __future__ import annotations

from judging.checks_page import checks


def checks_of(*layers: str) -> frozenset[str]:
    """Ids of all checks of these layers."""
    return frozenset(check.id for check in checks() if check.id.split(".")[0] in layers)

"""Facts that several rooms need are written once, in the references."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
ROOMS = (
    "access",
    "cloud_file",
    "discovery",
    "fixtures",
    "judging",
    "preflight",
    "probes",
    "provisioning",
    "reports",
    "suites",
)


@pytest.mark.parametrize(
    ("fact", "home"),
    [(r'"(?:0x)?10de\b', "probes/references/__init__.py"), (r'"intel_iommu=on\b', "probes/references/iommu.py")],
)
def test_only_its_home_writes_a_fact_down(fact: str, home: str) -> None:
    """No other file of the product has it as a text; prose, which quotes it, may."""
    files = [path for room in ROOMS for path in sorted((REPOSITORY / room).rglob("*.py"))]
    found = [str(path.relative_to(REPOSITORY)) for path in files if re.search(fact, path.read_text(encoding="utf-8"))]

    assert found == [home]

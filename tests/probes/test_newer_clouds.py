"""Clouds and cards that are newer than most: releases of Nova and generations of links."""

from __future__ import annotations

import pytest

from probes.openstack.nova_release import versions_named, versions_of
from probes.references.links import pcie_gb_per_s


@pytest.mark.parametrize(
    ("microversion", "first"), [((2, 100), 31), ((2, 103), 33), ((2, 104), 34), ((2, 110), 34), ((3, 0), 34)]
)
def test_a_release_is_known_by_its_microversion(microversion: tuple[int, int], first: int) -> None:
    """Of one that is newer than our data all that is known of the newest holds, and more may."""
    found = versions_of(microversion)

    assert found.has(first - 3)
    assert found.may_have(first)


@pytest.mark.parametrize(("name", "version"), [("2026.1", 33), ("gazpacho", 33), ("2023.2", 28), ("xena", 24)])
def test_releases_have_their_names(name: str, version: int) -> None:
    """Names and dates mean the same."""
    assert versions_named(name).has(version)


@pytest.mark.parametrize(("generation", "expected"), [(3, 15.75), (4, 31.5), (5, 63.0), (6, 118.0)])
def test_links_have_a_ceiling(generation: int, expected: float) -> None:
    """PCI Express 6 carries 118 GB/s over sixteen lanes before headers; of 7 nothing is known."""
    assert pcie_gb_per_s(generation, 16) == pytest.approx(expected, rel=0.01)
    assert pcie_gb_per_s(7, 16) is None

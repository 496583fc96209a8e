"""Scheduler filters that each release of Nova has."""

from __future__ import annotations

from preflight.releases import load_data


def known_filters(release: str) -> frozenset[str] | None:
    """Scheduler filters of a release; None if the release is not known."""
    data = load_data("filters.yaml")
    order = list(data["sources"])
    if release not in order:
        return None
    here = order.index(release)
    return frozenset(
        name for name, (first, last) in data["filters"].items() if order.index(first) <= here <= order.index(last)
    )

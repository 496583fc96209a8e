"""Which release of Nova answers, by its highest microversion, and what that release can do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from access.data_files import read_data
from access.errors import ParseError
from access.openstack_api import translated

_DATA: dict[str, Any] = read_data(Path(__file__).with_suffix(".yaml"))


def microversion(connection: Any) -> tuple[int, int]:
    """The highest microversion of the compute API, e.g. (2, 42).

    Raises:
        ParseError: the API tells none.
    """
    with translated("read the compute API's versions"):
        data = connection.compute.get_endpoint_data()
    if data is None or not data.max_microversion:
        raise ParseError("compute API", "it tells no microversions")
    major, minor = data.max_microversion[:2]
    return int(major), int(minor)


@dataclass(frozen=True)
class Versions:
    """Nova's own version (15 is Ocata, 32 is 2025.2) as far as it is known: from `lowest` to `highest`."""

    lowest: int
    highest: int

    def has(self, since: int) -> bool:
        """Whether this is surely a Nova that has what came with `since`."""
        return self.lowest >= since

    def may_have(self, since: int) -> bool:
        """Whether it can be one that has it."""
        return self.highest >= since


ANY_VERSION = Versions(0, 99)
"""Nothing is known of the release."""


def versions_of(found: tuple[int, int]) -> Versions:
    """Versions whose API has this highest microversion; between two releases it may be either."""
    lowest, highest = 0, ANY_VERSION.highest
    for entry in _DATA["releases"]:
        major, minor = str(entry["microversion"]).split(".")
        known, (first, last) = (int(major), int(minor)), entry["versions"]
        if known == found:
            return Versions(first, last)
        if known < found:
            lowest = last + 1
        else:
            highest = min(highest, first)
    return Versions(lowest, max(lowest, highest))


def versions_named(release: str) -> Versions:
    """The version of a release by its name, e.g. train or 2025.2; any where nothing is known of the name."""
    version = _DATA["names"].get(release.lower())
    return ANY_VERSION if version is None else Versions(version, version)


def versions(connection: Any) -> Versions:
    """Versions of the Nova that answers.

    Raises:
        ParseError: the API tells no microversions.
    """
    return versions_of(microversion(connection))


def supports(connection: Any, feature: str) -> bool:
    """Whether this Nova has a feature of nova_release.yaml."""
    major, minor = str(_DATA["features"][feature]["since"]).split(".")
    return microversion(connection) >= (int(major), int(minor))


def documentation(feature: str) -> str:
    """Where a feature is described."""
    return str(_DATA["features"][feature]["source"])


def names_of(versions: Versions) -> str:
    """What OpenStack calls these releases, e.g. `2025.1 or 2025.2`; "" if they are not known one by one."""
    if versions.highest == ANY_VERSION.highest:
        return f"later than {_called(versions.lowest - 1)}" if versions.lowest else ""
    return " or ".join(filter(None, (_called(number) for number in range(versions.lowest, versions.highest + 1))))


def _called(version: int) -> str:
    return next((str(name) for name, number in reversed(_DATA["names"].items()) if number == version), "")

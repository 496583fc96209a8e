"""Which release of Nova answers, by its highest microversion, and what that release can do."""

from __future__ import annotations

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


def supports(connection: Any, feature: str) -> bool:
    """Whether this Nova has a feature of nova_release.yaml."""
    major, minor = str(_DATA["features"][feature]["since"]).split(".")
    return microversion(connection) >= (int(major), int(minor))


def documentation(feature: str) -> str:
    """Where a feature is described."""
    return str(_DATA["features"][feature]["source"])

"""The aliases that a service must know: those of the cloud file, each asking for the declared cards."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from cloud_file.cloud import Cloud
from judging.configuration import Configuration
from judging.nova_aliases import name_of
from judging.verdicts import require
from probes.openstack.nova_release import Versions

ID_FIELDS = ("vendor_id", "product_id", "device_type")
STRIPS_SINCE = 15
"""Since Ocata Nova takes white space around the name of an alias away (https://bugs.launchpad.net/nova/+bug/1638200)."""
REQUIRED = {"product_id": "", "vendor_id": "", "device_type": "type-PCI"}


def require_aliases(
    configuration: Configuration, cloud: Cloud, versions: Versions, change: str, elsewhere: Mapping[str, str]
) -> None:
    """Reject the cloud unless every alias of the cloud file is there and asks for the declared cards.

    `elsewhere` has the file of the host, which the service does not read, by name; `change` says what sets an alias.

    Raises:
        Rejected: one is missing, near misses are named; or it asks for another device.
    """
    written = [str(entry.get("name")) for entry in configuration.conf.aliases]
    names = [name.strip() for name in written] if versions.has(STRIPS_SINCE) else written
    by_class = configuration.is_on("filter_scheduler", "pci_in_placement")
    for alias in cloud.aliases:
        _require_name(alias.name, names, configuration.path, change, elsewhere)
        gpu = cloud.gpu(alias.gpu)
        expected = {"vendor_id": gpu.vendor_id, "product_id": gpu.product_id, "device_type": gpu.device_type}
        lines = [entry for entry in configuration.conf.aliases if name_of(entry) == alias.name]
        wrong = [_differences(entry, expected, by_class) for entry in lines]
        require(
            not wrong or not all(wrong),  # a name may have a line for each of several products
            "alias-asks-for-another-device",
            f"alias {alias.name} has {wrong[0] if wrong else ''}, "
            f"the cards are { {key: expected[key] for key in (wrong[0] if wrong else ())} }",
            change=change,
            file=configuration.path,
        )


def _differences(entry: dict[str, Any], expected: dict[str, str], by_class: bool) -> dict[str, str]:
    """What one line of an alias asks for otherwise; a resource class stands for ids where Placement has the cards."""
    actual = {**REQUIRED, **{key: str(entry[key]) for key in ID_FIELDS if key in entry}}
    if by_class and entry.get("resource_class"):
        actual = {**expected, **{key: value for key, value in actual.items() if key in entry}}
    # Nova compares without regard to case, and its schema refuses 0x
    return {key: actual[key] for key in ID_FIELDS if actual[key].lower() != expected[key].lower()}


def _require_name(name: str, names: list[str], path: str, change: str, elsewhere: Mapping[str, str]) -> None:
    spaced = next((known for known in names if known != name and known.strip() == name), None)
    require(
        spaced is None or name in names,
        "alias-name-with-white-space",
        f"the alias is called {spaced!r}: with the space it is another name than the flavor's {name!r}",
        change=change,
        file=path,
    )
    require(
        name in names or name not in elsewhere,
        "alias-in-a-file-that-nobody-reads",
        f"alias {name!r} stands in {elsewhere.get(name)} of the host; the service runs in a container and reads {path}",
        change=change,
        file=elsewhere.get(name, path),
    )
    near = difflib.get_close_matches(name, [known for known in names if known != name], n=1)
    hint = f"; {near[0]!r} looks like it" if near else ""
    require(
        name in names,
        "alias-missing",
        f"no alias {name!r} (there are: {', '.join(names) or 'none'}{hint})",
        change=change,
        file=path,
    )

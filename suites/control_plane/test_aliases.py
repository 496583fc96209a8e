"""PCI aliases where the services read them: on the API for flavors, on every compute for moves."""

from __future__ import annotations

import difflib
from typing import Any

import pytest

from access.host import Host
from cloud_file.cloud import Cloud
from cloud_file.deployer import NOVA_CONF, Deployer
from cloud_file.sections.hosts import DeclaredHost
from judging.configuration import Configuration
from judging.nova_aliases import name_of
from judging.verdicts import require
from probes import nova_conf
from probes.openstack.nova_release import Versions

NOVA_PCI = "https://docs.openstack.org/nova/latest/admin/pci-passthrough.html"
MOVES = "https://bugs.launchpad.net/puppet-nova/+bug/1702730"
ID_FIELDS = ("vendor_id", "product_id", "device_type")
STRIPS_SINCE = 15
"""Since Ocata Nova takes white space around the name of an alias away (https://bugs.launchpad.net/nova/+bug/1638200)."""
REQUIRED = {"product_id": "", "vendor_id": "", "device_type": "type-PCI"}


def _require_aliases(
    configuration: Configuration, cloud: Cloud, versions: Versions, change: str, elsewhere: list[str]
) -> None:
    """Every alias of the cloud file is there and asks for the declared cards; near misses are named."""
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


def _require_name(name: str, names: list[str], path: str, change: str, elsewhere: list[str]) -> None:
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
        f"alias {name!r} stands in {NOVA_CONF} of the host; the service runs in a container and reads {path}",
        change=change,
        file=NOVA_CONF,
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


def _names_on_the_host(host: Host, deployer: Deployer) -> list[str]:
    """Aliases of a nova.conf that lies on the host beside the one that a container reads."""
    if deployer.container_engine is None:
        return []
    return [str(entry.get("name")) for entry in nova_conf.read_beside(host, NOVA_CONF).aliases]


@pytest.mark.check("control_plane.alias.api", rests_on=("control_plane.nova_conf.*", "undercloud.*"), source=NOVA_PCI)
def test_nova_api_knows_every_alias(
    controller: Host,
    declared_controller: DeclaredHost,
    api_configuration: Configuration,
    deployer: Deployer,
    cloud: Cloud,
    nova_versions: Versions,
) -> None:
    """Each alias of the flavors is in the nova.conf that nova-api reads, with the ids of the declared cards."""
    change = f"set {deployer.settings.aliases} for the controllers and {deployer.settings.how_to_apply}"

    _require_aliases(api_configuration, cloud, nova_versions, change, _names_on_the_host(controller, deployer))


@pytest.mark.check("control_plane.alias.compute", rests_on=("control_plane.nova_conf.*", "undercloud.*"), source=MOVES)
def test_nova_compute_knows_every_alias(
    compute: Host,
    declared_compute: DeclaredHost,
    compute_configuration: Configuration,
    deployer: Deployer,
    cloud: Cloud,
    nova_versions: Versions,
) -> None:
    """Each compute has the same aliases: without them resize, migration and evacuation fail."""
    change = (
        f"set {deployer.settings.aliases} for the role {declared_compute.role}, too, "
        f"and {deployer.settings.how_to_apply}"
    )
    if deployer.settings.note_for_computes:
        change += f"; {deployer.settings.note_for_computes}"

    _require_aliases(compute_configuration, cloud, nova_versions, change, _names_on_the_host(compute, deployer))

"""PCI aliases where the services read them: on the API for flavors, on every compute for moves."""

from __future__ import annotations

from contextlib import suppress

import pytest

from access.errors import ParseError
from access.host import Host
from cloud_file.cloud import Cloud
from cloud_file.deployer import NOVA_CONF, Deployer
from cloud_file.sections.hosts import DeclaredHost
from judging.configuration import Configuration
from judging.required_aliases import require_aliases
from probes import nova_conf, nova_process
from probes.nova_process import ConfigFile
from probes.openstack.nova_release import Versions

NOVA_PCI = "https://docs.openstack.org/nova/latest/admin/pci-passthrough.html"
MOVES = "https://bugs.launchpad.net/puppet-nova/+bug/1702730"


def _beside(host: Host, deployer: Deployer, found: Configuration) -> dict[str, str]:
    """Aliases that lie on the host beside what a container reads: the file of each by name."""
    if deployer.container_engine is None:
        return {}
    names = {str(entry.get("name")): NOVA_CONF for entry in nova_conf.read_beside(host, NOVA_CONF).aliases}
    read = {path for path, _ in found.files}
    for file in _snippets(host, deployer, read):
        with suppress(ParseError):  # whether it could be read is of no matter, nobody does
            names |= {str(entry.get("name")): file.path for entry in nova_conf.parse(file.text).aliases}
    return names


def _snippets(host: Host, deployer: Deployer, read: set[str]) -> list[ConfigFile]:
    """Snippets of a compute that its container did not take over, as RHOSO's takes only *nova*.conf."""
    compute = deployer.service("nova-compute")
    if not compute.nova_conf.endswith("/") or not any(path.startswith(compute.nova_conf) for path in read):
        return []
    return [file for file in nova_process.read_written(host, compute.nova_conf).files if file.path not in read]


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

    require_aliases(api_configuration, cloud, nova_versions, change, _beside(controller, deployer, api_configuration))


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

    require_aliases(
        compute_configuration, cloud, nova_versions, change, _beside(compute, deployer, compute_configuration)
    )

"""PCI aliases where the services read them: on the API for flavors, on every compute for moves."""

from __future__ import annotations

import pytest

from access.host import Host
from cloud_file.cloud import Cloud
from cloud_file.deployer import NOVA_CONF, Deployer
from cloud_file.sections.hosts import DeclaredHost
from judging.configuration import Configuration
from judging.required_aliases import require_aliases
from probes import nova_conf
from probes.openstack.nova_release import Versions

NOVA_PCI = "https://docs.openstack.org/nova/latest/admin/pci-passthrough.html"
MOVES = "https://bugs.launchpad.net/puppet-nova/+bug/1702730"


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

    require_aliases(api_configuration, cloud, nova_versions, change, _names_on_the_host(controller, deployer))


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

    require_aliases(compute_configuration, cloud, nova_versions, change, _names_on_the_host(compute, deployer))

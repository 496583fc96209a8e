"""Services of overcloud hosts, by the name that the release gives them."""

from __future__ import annotations

from access.host import Host, output_of
from provisioning.tripleo.release import release

RESTART_S = 300.0
COMMANDS = {
    None: "systemctl restart openstack-nova-compute",
    "docker": "docker restart nova_compute",
    "podman": "systemctl restart tripleo_nova_compute",
}
"""By container engine (https://docs.openstack.org/project-deploy-guide/tripleo-docs/latest/)."""


def restart_nova_compute(host: Host, release_name: str | None) -> None:
    """Restart nova-compute.

    Raises:
        CommandError: the host refuses.
    """
    engine = release(release_name).container_engine if release_name else None
    output_of(host, COMMANDS[engine], timeout_s=RESTART_S, as_root=True)

"""Which deployer installed a cloud, where its file does not say so: its hosts are looked at."""

from __future__ import annotations

from access.errors import Blocked, MeasurementError
from cloud_file.cloud import Cloud
from cloud_file.deployer import all_signs, load_deployer, recognised
from cloud_file.sections.hosts import DeclaredHost
from probes import deployer_signs
from probes.deployer_signs import Signs
from provisioning.environment import Environment
from provisioning.hosts import Hosts


def with_deployer(cloud: Cloud) -> Cloud:
    """The cloud with the deployer that its hosts show; as it is where it names one, or they show none or several.

    One compute and one controller are looked at. What the file says itself is never changed.
    """
    if cloud.kind != "existing" or cloud.deployer or cloud.release:
        return cloud
    hosts = Hosts(cloud, Environment())
    try:
        seen = [_signs(hosts, declared) for declared in (*cloud.computes[:1], *cloud.controllers[:1])]
    finally:
        hosts.close()
    return shown_by(cloud, [signs for signs in seen if signs is not None])


def shown_by(cloud: Cloud, seen: list[Signs]) -> Cloud:
    """The cloud with the one deployer, and the container engine, that the signs of its hosts agree on."""
    names = {recognised(signs.paths) for signs in seen} - {None}
    if len(names) != 1:
        return cloud
    name = str(names.pop())
    deployer = load_deployer(name)
    engines = [each for each in ("docker", "podman") if all(each in signs.engines for signs in seen)]
    usual, own = deployer.container_engine, cloud.nova.container_engine
    other = next((each for each in engines if each in deployer.restart), None)
    engine = other if usual and not own and usual not in engines and other else own
    nova = cloud.nova.model_copy(update={"container_engine": engine})
    return cloud.model_copy(update={"deployer": name, "nova": nova})


def _signs(hosts: Hosts, declared: DeclaredHost) -> Signs | None:
    """None where the host cannot be asked: the checks that need it say so."""
    try:
        return deployer_signs.read(hosts.node(declared), all_signs())
    except (MeasurementError, Blocked):
        return None

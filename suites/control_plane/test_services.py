"""Nova's services: running, on the configuration that is there now, and seeing the host's devices."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest

from access.errors import MeasurementError
from access.host import Host
from cloud_file.deployer import Deployer, Service
from cloud_file.sections.hosts import DeclaredHost
from judging.last_words import cause_of_end, told
from judging.verdicts import require
from probes import clock, nova_log, nova_service
from probes.nova_service import NovaService
from probes.openstack import nova
from probes.reading import read_file
from provisioning.environment import Environment
from provisioning.hosts import Hosts

NOVA_OPTIONS = "https://docs.openstack.org/nova/latest/configuration/config.html"
SERVICES = "https://docs.openstack.org/nova/latest/admin/services.html"
CONTAINERS = "https://opendev.org/openstack/tripleo-heat-templates/commit/2168e7b15"
CLOCK_STEP = timedelta(seconds=2)
"""systemd and stat tell whole seconds, and the boot time that they count from is one."""


def _require_running(host: Host, deployed: Service, service: NovaService) -> None:
    """Reject with the reason that its log gives, where it ended by itself."""
    if service.started is not None:
        return
    words = nova_log.read(host, deployed, deployed.service)
    if words is not None:
        what = f"{service.name} does not run: {told(words)}"
        require(False, cause_of_end(words), what, file=deployed.nova_conf)
    require(False, "service-not-running", f"{service.name} does not run", service=service.name)


def _require_in_effect(host: Host, services: Iterable[Service]) -> None:
    for deployed in services:
        path = deployed.nova_conf
        written, changed = read_file(host, path, as_root=True), nova_service.modified(host, path)
        service = nova_service.read(host, deployed)
        _require_running(host, deployed, service)
        effective = nova_service.read_configuration(host, deployed)
        require(
            effective.split() == written.split(),
            "another-file-in-effect",
            f"{service.name} has another nova.conf than {path}",
            path=path,
            file=path,
        )
        now = clock.read(host)
        require(
            changed <= now + CLOCK_STEP,
            "file-changed-in-the-future",
            f"{path} was changed at {changed:%F %T}, and on {host.name} it is {now:%F %T}",
            path=path,
            file=path,
        )
        require(
            service.started is None or service.started + CLOCK_STEP >= changed,
            "service-not-restarted",
            f"{path} was changed at {changed:%F %T}, {service.name} runs since {service.started:%F %T}",
            service=service.name,
            file=path,
        )


@pytest.mark.check("control_plane.config.api_in_effect", rests_on=("control_plane.nova_conf.api",), source=NOVA_OPTIONS)
def test_the_control_plane_runs_with_its_configuration(
    controller: Host, declared_controller: DeclaredHost, deployer: Deployer
) -> None:
    """nova-api and nova-scheduler were started after nova.conf was changed last, and read this very file."""
    _require_in_effect(controller, deployer.services_on("controller"))


@pytest.mark.check(
    "control_plane.config.compute_in_effect",
    rests_on=("control_plane.nova_conf.compute", "control_plane.device_spec.valid"),
    source=NOVA_OPTIONS,
)
def test_nova_compute_runs_with_its_configuration(
    compute: Host, declared_compute: DeclaredHost, deployer: Deployer
) -> None:
    """nova-compute was started after nova.conf was changed last, and reads this very file."""
    _require_in_effect(compute, deployer.services_on("compute"))


@pytest.mark.check(
    "control_plane.compute.up",
    rests_on=("undercloud.overcloud.complete", "control_plane.config.compute_in_effect"),
    source=SERVICES,
    api=True,
)
def test_nova_compute_is_up(
    declared_compute: DeclaredHost, admin: Any, environment: Environment, hosts: Hosts, deployer: Deployer
) -> None:
    """nova-compute reports: a host whose service is down gets no instance."""
    computes = [service for service in nova.services(admin) if service.binary == "nova-compute"]
    found = [service for service in computes if service.host.split(".")[0] == declared_compute.name]

    require(
        found,
        "compute-not-registered",
        "Nova knows no nova-compute of this host, "
        f"but of {', '.join(sorted(service.host for service in computes)) or 'no host at all'}",
    )
    service = found[0]
    require(
        not service.is_forced_down,
        "compute-forced-down",
        f"somebody declared nova-compute of {service.host} down, and it stays so whatever it reports",
        host=service.host,
    )
    require(
        service.is_up,
        "compute-down",
        f"nova-compute does not report; {_last_words(hosts, declared_compute, deployer)}",
    )
    require(
        service.is_enabled,
        "compute-disabled",
        f"nova-compute is disabled, its reason: {service.disabled_reason or 'none was given'}",
        host=service.host,
    )


def _last_words(hosts: Hosts, declared: DeclaredHost, deployer: Deployer) -> str:
    """Why a service does not report, where its host can be asked."""
    deployed = deployer.service("nova-compute")
    try:
        words = nova_log.read(hosts.node(declared), deployed, deployed.service)
    except MeasurementError as error:
        return f"its log could not be read: {error}"
    return told(words) if words else "its log ends with no error"


@pytest.mark.check("control_plane.container.sees_devices", source=CONTAINERS)
def test_nova_compute_sees_the_host_s_pci_devices(
    compute: Host, declared_compute: DeclaredHost, deployer: Deployer
) -> None:
    """nova-compute finds devices in /sys/bus/pci: a container without that mount offers none, whatever is allowed."""
    service = deployer.service("nova-compute")
    seen = nova_service.devices_seen(compute, service)

    require(
        seen,
        "container-without-pci-sysfs",
        f"/sys/bus/pci/devices is empty inside the container {service.name}",
    )

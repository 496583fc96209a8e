"""Nova's services: running, on the configuration that is there now, and seeing the host's devices."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NoReturn

import pytest

from access.errors import Blocked, MeasurementError
from access.host import Host
from cloud_file.deployer import Deployer, Service
from cloud_file.sections.hosts import DeclaredHost
from judging.causes import rejected
from judging.configuration import CLOCK_STEP, Configuration, changed_since, not_in_effect
from judging.last_words import cause_of_end, told
from judging.verdicts import require
from probes import clock, nova_log, nova_service
from probes.nova_log import LastWords
from probes.nova_service import NovaService
from probes.openstack.nova import ComputeService
from provisioning.environment import Environment
from provisioning.hosts import Hosts
from provisioning.service_files import written_for

NOVA_OPTIONS = "https://docs.openstack.org/nova/latest/configuration/config.html"
SERVICES = "https://docs.openstack.org/nova/latest/admin/services.html"
CONTAINERS = "https://opendev.org/openstack/tripleo-heat-templates/commit/2168e7b15"

MANY_RESTARTS, JUST_NOW = 2, timedelta(minutes=3)
"""One restart by itself can be a crash that is over; what fails at its start needs seconds, on slow hosts a minute."""


def _started(service: NovaService, found: Configuration) -> datetime | None:
    """When the service read its files: a unit of another name tells nothing, a web server starts its workers again."""
    process = found.process
    if process is not None and (not service.is_known or (service.started and process.is_of_web_server)):
        return process.started
    return service.started


def _reject_what_ended(host: Host, deployed: Service, service: NovaService) -> NoReturn:
    """Reject with the reason that the service's log gives, where it ended by itself."""
    words = nova_log.read(host, deployed, deployed.service)
    if words is not None:
        _reject_with(words, deployed, f"{service.name} does not run")
    what = f"{service.name} does not run, and no process of {deployed.service} does"
    raise rejected("service-not-running", what, service=service.name)


def _reject_with(words: LastWords, deployed: Service, what: str) -> NoReturn:
    raise rejected(cause_of_end(words), f"{what}: {told(words)}", file=deployed.nova_conf)


def _reject_what_ends_again(host: Host, deployed: Service, service: NovaService, started: datetime) -> None:
    """Reject a service that its manager started again and again, the last time just now, where its log has a reason.

    Nova's services need seconds to fail, so that systemd, which gives up after five starts within ten seconds, never
    does; containers are started again for ever. https://man7.org/linux/man-pages/man5/systemd.unit.5.html
    """
    if service.restarts < MANY_RESTARTS or clock.read(host) - started > JUST_NOW:
        return
    words = nova_log.read(host, deployed, deployed.service, goes_on=True)
    if words is not None:
        _reject_with(words, deployed, f"{service.name} ends and is started again, {service.restarts} times by now")


def _require_running(host: Host, deployed: Service, found: Configuration) -> tuple[NovaService, datetime]:
    """The service and when it was started; one that ended is more telling than another that was not restarted."""
    service = nova_service.read(host, deployed)
    started = _started(service, found)
    if started is None:
        _reject_what_ended(host, deployed, service)
    _reject_what_ends_again(host, deployed, service, started)
    return service, started


def _require_in_effect(
    host: Host, deployed: Service, found: Configuration, service: NovaService, started: datetime
) -> None:
    """What the service read when it started is what stands there now."""
    written = written_for(host, deployed, found)
    late = changed_since(started, found, written, deployed)
    now = clock.read(host)
    require(
        not late or late.changed <= now + CLOCK_STEP,
        "file-changed-in-the-future",
        f"{late and deployed.shown(late.path)} was changed at {late and f'{late.changed:%F %T}'}, "
        f"and on {host.name} it is {now:%F %T}",
        path=deployed.shown(late.path) if late else "",
        file=deployed.shown(late.path) if late else "",
    )
    require(
        not late,
        "service-not-restarted",
        f"{late and deployed.shown(late.path)} was changed at {late and f'{late.changed:%F %T}'}, "
        f"{service.name} runs since {started:%F %T}",
        restart=deployed.restart,
        file=deployed.shown(late.path) if late else "",
    )
    require(
        not found.missing,
        "configuration-file-gone",
        f"{service.name} was started with {', '.join(found.missing)}, which is not there any more",
        service=service.name,
        file=found.missing[0] if found.missing else "",
    )
    path = not_in_effect(found, written)
    require(
        not path,
        "another-file-in-effect",
        f"{service.name} does not have {path} as it stands on the host; it reads "
        f"{', '.join(name for name, _ in found.files) or 'no file'}",
        path=path,
        file=path,
    )


@pytest.mark.check("control_plane.config.api_in_effect", rests_on=("control_plane.nova_conf.api",), source=NOVA_OPTIONS)
def test_the_control_plane_runs_with_its_configuration(
    controller: Host,
    declared_controller: DeclaredHost,
    deployer: Deployer,
    api_configuration: Configuration,
    scheduler_configuration: Configuration,
) -> None:
    """nova-api and nova-scheduler were started after their files were changed last, and read these very files."""
    read_by = [
        (deployer.service("nova-api"), api_configuration),
        (deployer.service("nova-scheduler"), scheduler_configuration),
    ]
    running = [_require_running(controller, deployed, found) for deployed, found in read_by]
    for (deployed, found), (service, started) in zip(read_by, running, strict=True):
        _require_in_effect(controller, deployed, found, service, started)


@pytest.mark.check(
    "control_plane.config.compute_in_effect",
    rests_on=("control_plane.nova_conf.compute", "control_plane.device_spec.valid"),
    source=NOVA_OPTIONS,
)
def test_nova_compute_runs_with_its_configuration(
    compute: Host, declared_compute: DeclaredHost, deployer: Deployer, compute_configuration: Configuration
) -> None:
    """nova-compute was started after its files were changed last, and reads these very files."""
    deployed = deployer.service("nova-compute")
    service, started = _require_running(compute, deployed, compute_configuration)
    _require_in_effect(compute, deployed, compute_configuration, service, started)


@pytest.mark.check(
    "control_plane.compute.up",
    rests_on=("undercloud.overcloud.complete", "control_plane.config.compute_in_effect"),
    source=SERVICES,
    api=True,
)
def test_nova_compute_is_up(
    declared_compute: DeclaredHost,
    compute_services: tuple[ComputeService, ...],
    environment: Environment,
    hosts: Hosts,
    deployer: Deployer,
) -> None:
    """nova-compute reports: a host whose service is down gets no instance."""
    found = [service for service in compute_services if service.host.split(".")[0] == declared_compute.name]

    require(
        found,
        "compute-not-registered",
        "Nova knows no nova-compute of this host, "
        f"but of {', '.join(sorted(service.host for service in compute_services)) or 'no host at all'}",
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


@pytest.mark.check(
    "control_plane.container.sees_devices", rests_on=("control_plane.config.compute_in_effect",), source=CONTAINERS
)
def test_nova_compute_sees_the_host_s_pci_devices(
    compute: Host, declared_compute: DeclaredHost, deployer: Deployer, compute_configuration: Configuration
) -> None:
    """nova-compute finds devices in /sys/bus/pci: a container without that mount offers none, whatever is allowed."""
    service, process = deployer.service("nova-compute"), compute_configuration.process
    if process is None:
        raise Blocked(f"control_plane.config.compute_in_effect: no process of {service.name} was found")
    seen = nova_service.devices_seen(compute, process.pid)

    require(
        seen,
        "container-without-pci-sysfs",
        f"/sys/bus/pci/devices is empty inside the container {service.name}",
    )

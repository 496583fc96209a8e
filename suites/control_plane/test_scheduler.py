"""Scheduler filters: those that GPU instances need are on, and every one exists."""

from __future__ import annotations

from typing import Any

import pytest

from access.host import Host
from cloud_file.cloud import Cloud
from cloud_file.deployer import Deployer
from cloud_file.sections.hosts import DeclaredHost
from judging.configuration import Configuration
from judging.filters import needed_filters
from judging.last_words import told
from judging.verdicts import require
from preflight.filters import known_filters
from probes import nova_log
from probes.openstack import nova
from provisioning.environment import Environment

NOVA_PCI = "https://docs.openstack.org/nova/latest/admin/pci-passthrough.html"
NOVA_OPTIONS = "https://docs.openstack.org/nova/latest/configuration/config.html#filter_scheduler"


def _file_of_the_list(found: Configuration) -> str:
    return found.file_of(found.conf.option("filter_scheduler", "enabled_filters"))


@pytest.mark.check("control_plane.filters.pci", rests_on=("control_plane.nova_conf.*", "undercloud.*"), source=NOVA_PCI)
def test_the_scheduler_filters_by_pci_devices_and_numa(
    controller: Host,
    declared_controller: DeclaredHost,
    scheduler_configuration: Configuration,
    deployer: Deployer,
    cloud: Cloud,
) -> None:
    """PciPassthroughFilter keeps GPU instances from hosts without a free card, NUMATopologyFilter from the wrong socket where flavors or images ask for one."""  # noqa: E501
    filters = scheduler_configuration.conf.filters

    missing = needed_filters(cloud) - set(filters or ())
    require(
        not missing,
        "filter-missing",
        f"enabled_filters lacks {', '.join(sorted(missing))} "
        f"(it has {', '.join(filters or ()) or 'no list of its own'})",
        parameter=deployer.settings.filters,
        apply=deployer.settings.how_to_apply,
        file=_file_of_the_list(scheduler_configuration),
    )


@pytest.mark.check(
    "control_plane.filters.known", rests_on=("control_plane.nova_conf.*", "undercloud.*"), source=NOVA_OPTIONS
)
def test_every_filter_exists_in_the_release(
    controller: Host,
    declared_controller: DeclaredHost,
    scheduler_configuration: Configuration,
    deployer: Deployer,
    admin: Any,
    environment: Environment,
) -> None:
    """One name that cannot be imported, and nova-scheduler does not start."""
    conf, known = scheduler_configuration.conf, known_filters(deployer.release)
    own = [
        option for option in conf.options if option.name == "available_filters" and "all_filters" not in option.value
    ]

    unknown = [name for name in conf.filters or () if known is not None and name not in known]
    require(
        not unknown or own,
        "filter-unknown-to-the-release",
        f"{deployer.title} has no {', '.join(unknown)}: the scheduler ends with SchedulerHostFilterNotFound",
        parameter=deployer.settings.filters,
        apply=deployer.settings.how_to_apply,
        file=_file_of_the_list(scheduler_configuration),
    )
    schedulers = [service for service in nova.services(admin) if service.binary == "nova-scheduler"]
    is_up = any(service.is_up for service in schedulers)
    words = None if is_up else nova_log.read(controller, deployer.service("nova-scheduler"), "nova-scheduler")
    require(
        is_up,
        "scheduler-down",
        f"no nova-scheduler reports ({len(schedulers)} are registered)" + (f"; {told(words)}" if words else ""),
    )

"""nova.conf where the services read it: aliases, device specs, filters."""

from __future__ import annotations

from typing import Any

import pytest

from probes import nova_conf, pci_devices
from probes.host import Host
from probes.openstack import nova
from provisioning.cloud_file import Cloud, DeclaredHost
from provisioning.environment import Environment
from provisioning.tripleo.release import release

NOVA_PCI = "https://docs.openstack.org/nova/latest/admin/pci-passthrough.html"
MOVES = "https://bugs.launchpad.net/puppet-nova/+bug/1702730"
ID_FIELDS = ("vendor_id", "product_id", "device_type")


def _api(controller: Host, cloud: Cloud) -> nova_conf.NovaConf:
    return nova_conf.read(controller, release(str(cloud.release)).api_nova_conf)


def _compute(compute: Host, cloud: Cloud) -> nova_conf.NovaConf:
    return nova_conf.read(compute, release(str(cloud.release)).compute_nova_conf)


def _wrong_aliases(conf: nova_conf.NovaConf, cloud: Cloud) -> list[str]:
    """What is wrong with the aliases, one text each, near misses named."""
    problems = []
    for alias in cloud.aliases:
        gpu = cloud.gpu(alias.gpu)
        expected = {"vendor_id": gpu.vendor_id, "product_id": gpu.product_id, "device_type": gpu.device_type}
        found = [entry for entry in conf.aliases if entry.get("name") == alias.name]
        if not found:
            names = [entry.get("name") for entry in conf.aliases]
            problems.append(f"no alias {alias.name} (there are: {names or 'none'})")
        for entry in found:
            actual = {"device_type": "type-PCI", **{key: entry[key] for key in ID_FIELDS if key in entry}}
            wrong = {key: actual.get(key) for key in ID_FIELDS if actual.get(key) != expected[key]}
            if wrong:
                problems.append(
                    f"alias {alias.name} has {wrong}, the cards need { {key: expected[key] for key in wrong} }"
                )
    return problems


@pytest.mark.check("control_plane.alias.api", source=NOVA_PCI)
def test_nova_api_knows_every_alias(controller: Host, declared_controller: DeclaredHost, cloud: Cloud) -> None:
    """Each alias of the flavors is in the nova.conf that nova-api reads, with the ids of the declared cards."""
    problems = _wrong_aliases(_api(controller, cloud), cloud)

    path = release(str(cloud.release)).api_nova_conf
    assert not problems, (
        f"{declared_controller.name}, {path}: {'; '.join(problems)}; set nova::pci::aliases for the controllers and deploy"
    )


@pytest.mark.check("control_plane.alias.compute", source=MOVES)
def test_nova_compute_knows_every_alias(compute: Host, declared_compute: DeclaredHost, cloud: Cloud) -> None:
    """Each compute has the same aliases: without them resize, migration and evacuation fail."""
    problems = _wrong_aliases(_compute(compute, cloud), cloud)

    path = release(str(cloud.release)).compute_nova_conf
    assert not problems, (
        f"{declared_compute.name}, {path}: {'; '.join(problems)}; set nova::pci::aliases for the compute role, too, with a puppet-nova that "
        "writes it (undercloud.puppet_nova.uploaded)"
    )


@pytest.mark.check("control_plane.device_spec.matches", rests_on=("host.gpu.present",), source=NOVA_PCI)
def test_the_device_spec_matches_the_declared_cards(
    compute: Host, declared_compute: DeclaredHost, cloud: Cloud
) -> None:
    """device_spec (passthrough_whitelist) takes exactly the cards that are in the host."""
    if not declared_compute.gpus:
        pytest.skip("this host is declared without GPUs")
    specs = _compute(compute, cloud).device_specs
    present = {device.product_id for device in pci_devices.read(compute) if device.is_nvidia_gpu}

    allowed = {str(spec.get("product_id")) for spec in specs if spec.get("vendor_id") in ("10de", None)}
    missed = present - allowed

    path = release(str(cloud.release)).compute_nova_conf
    assert not missed, (
        f"{declared_compute.name}, {path}: [pci] device_spec allows {sorted(allowed) or 'nothing'}, "
        f"the host has 10de:{', 10de:'.join(sorted(missed))}; correct NovaPCIPassthrough"
    )


@pytest.mark.check("control_plane.filters.pci", source=NOVA_PCI)
def test_the_scheduler_filters_by_pci_devices_and_numa(
    controller: Host, declared_controller: DeclaredHost, cloud: Cloud
) -> None:
    """PciPassthroughFilter keeps GPU instances from hosts without a free card, NUMATopologyFilter from the wrong socket."""
    filters = _api(controller, cloud).filters

    missing = {"PciPassthroughFilter", "NUMATopologyFilter"} - set(filters or ())
    dialect = release(str(cloud.release))
    assert not missing, (
        f"{declared_controller.name}, {dialect.api_nova_conf}: enabled_filters lacks {', '.join(sorted(missing))} "
        f"(it has {', '.join(filters or ()) or 'no list of its own'}); add it to {dialect.filter_parameter}"
    )


@pytest.mark.check(
    "control_plane.compute.up", source="https://docs.openstack.org/nova/latest/admin/services.html", api=True
)
def test_nova_compute_is_up(declared_compute: DeclaredHost, admin: Any, environment: Environment) -> None:
    """nova-compute reports: a host whose service is down gets no instance."""
    found = [
        service
        for service in nova.services(admin)
        if service.binary == "nova-compute" and service.host.split(".")[0] == declared_compute.name
    ]

    assert found, (
        f"{declared_compute.name}: no nova-compute service; nova-manage cell_v2 discover_hosts, and see nova-compute.log"
    )
    assert found[0].is_up, f"{declared_compute.name}: nova-compute does not report; see nova-compute.log"
    assert found[0].is_enabled, (
        f"{declared_compute.name}: nova-compute is disabled; openstack compute service set --enable"
    )

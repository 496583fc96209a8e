"""nova.conf where the services read it: aliases, device specs, filters, and that it is in effect."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from judging import require

from probes import nova_conf, nova_service, pci_devices
from probes.host import Host
from probes.openstack import nova
from provisioning.cloud_file import Cloud, DeclaredHost
from provisioning.environment import Environment
from provisioning.tripleo.release import Release, release

NOVA_PCI = "https://docs.openstack.org/nova/latest/admin/pci-passthrough.html"
NOVA_OPTIONS = "https://docs.openstack.org/nova/latest/configuration/config.html#pci"
MOVES = "https://bugs.launchpad.net/puppet-nova/+bug/1702730"
ID_FIELDS = ("vendor_id", "product_id", "device_type")
PCI_OPTIONS = ("alias", "passthrough_whitelist")
LATER_OPTIONS = ("device_spec", "report_in_placement")
"""Options that came with Nova 26 (Zed): services of the releases that TripleO deploys pass over them in silence."""
CLOCK_STEP = timedelta(seconds=2)
"""systemd and stat tell whole seconds, and the boot time that they count from is one."""
EXACT = ("vendor_id", "product_id")


def _dialect(cloud: Cloud) -> Release:
    return release(str(cloud.release))


def _api(controller: Host, cloud: Cloud) -> nova_conf.NovaConf:
    return nova_conf.read(controller, _dialect(cloud).api_nova_conf)


def _compute(compute: Host, cloud: Cloud) -> nova_conf.NovaConf:
    return nova_conf.read(compute, _dialect(cloud).compute_nova_conf)


def _require_aliases(conf: nova_conf.NovaConf, cloud: Cloud, path: str, fix: str) -> None:
    """Every alias of the cloud file is there and asks for the declared cards; near misses are named."""
    names = [str(entry.get("name")) for entry in conf.aliases]
    for alias in cloud.aliases:
        near = difflib.get_close_matches(alias.name, [name for name in names if name != alias.name], n=1)
        hint = f"; {near[0]!r} looks like it" if near else ""
        require(
            alias.name in names,
            "alias-missing",
            f"no alias {alias.name!r} (there are: {', '.join(names) or 'none'}{hint})",
            fix=fix,
            file=path,
        )
        gpu = cloud.gpu(alias.gpu)
        expected = {"vendor_id": gpu.vendor_id, "product_id": gpu.product_id, "device_type": gpu.device_type}
        for entry in conf.aliases:
            actual = {"device_type": "type-PCI", **{key: entry[key] for key in ID_FIELDS if key in entry}}
            wrong = {key: actual.get(key) for key in ID_FIELDS if actual.get(key) != expected[key]}
            require(
                entry.get("name") != alias.name or not wrong,
                "alias-asks-for-another-device",
                f"alias {alias.name} has {wrong}, the cards are { {key: expected[key] for key in wrong} }",
                fix=f"correct it under {_dialect(cloud).alias_hiera_key}, ids in quotes, and deploy",
                file=path,
            )


@pytest.mark.check("control_plane.alias.api", rests_on=("undercloud.overcloud.complete",), source=NOVA_PCI)
def test_nova_api_knows_every_alias(controller: Host, declared_controller: DeclaredHost, cloud: Cloud) -> None:
    """Each alias of the flavors is in the nova.conf that nova-api reads, with the ids of the declared cards."""
    dialect = _dialect(cloud)
    fix = f"set {dialect.alias_hiera_key} for the controllers and deploy"

    _require_aliases(_api(controller, cloud), cloud, dialect.api_nova_conf, fix)


@pytest.mark.check("control_plane.alias.compute", rests_on=("undercloud.overcloud.complete",), source=MOVES)
def test_nova_compute_knows_every_alias(compute: Host, declared_compute: DeclaredHost, cloud: Cloud) -> None:
    """Each compute has the same aliases: without them resize, migration and evacuation fail."""
    dialect = _dialect(cloud)
    fix = f"set {dialect.alias_hiera_key} for the compute role, too, with a puppet-nova that writes it there"

    _require_aliases(_compute(compute, cloud), cloud, dialect.compute_nova_conf, fix)


@pytest.mark.check("control_plane.options.known", source=NOVA_OPTIONS)
def test_the_pci_options_are_ones_that_the_release_reads(
    compute: Host, declared_compute: DeclaredHost, cloud: Cloud
) -> None:
    """Nova passes over an option that it does not know: a misspelt or a later one is as good as none."""
    path = _dialect(cloud).compute_nova_conf
    for option in _compute(compute, cloud).options:
        if option.section != "pci":
            continue
        near = difflib.get_close_matches(option.name, PCI_OPTIONS, n=1, cutoff=0.5)
        write = (
            "passthrough_whitelist" if option.name in LATER_OPTIONS else (near[0] if near else "one of the release's")
        )
        require(
            option.name in PCI_OPTIONS,
            "option-unknown-to-the-release",
            f"[pci] {option.name} is read by no service of {cloud.release}",
            fix=f"write {write}",
            file=path,
            line_number=option.line_number,
        )


@pytest.mark.check(
    "control_plane.device_spec.matches",
    rests_on=("host.gpu.present", "control_plane.options.known", "undercloud.overcloud.complete"),
    source=NOVA_PCI,
)
def test_the_device_spec_matches_the_declared_cards(
    compute: Host, declared_compute: DeclaredHost, cloud: Cloud
) -> None:
    """device_spec (passthrough_whitelist) takes every card that is in the host; a near miss is named."""
    present = {device.product_id for device in pci_devices.read(compute) if device.is_nvidia_gpu}
    path = _dialect(cloud).compute_nova_conf
    specs = _compute(compute, cloud).device_specs
    if not declared_compute.gpus:
        return

    fix = f"set NovaPCIPassthrough for the role {declared_compute.role} to the ids of lspci -nn and deploy"
    require(specs, "device-spec-missing", "no device is given to instances", fix=fix, file=path)
    for product in sorted(present):
        taken = any(_takes(spec, product) for spec in specs)
        require(
            taken,
            "device-spec-for-another-device",
            f"the host has 10de:{product}, allowed are {[_ids(spec) for spec in specs]}{_near(specs, product)}",
            fix=fix,
            file=path,
        )


def _takes(spec: dict[str, Any], product: str) -> bool:
    return all(str(spec.get(key, "*")) in (wanted, "*") for key, wanted in zip(EXACT, ("10de", product), strict=True))


def _ids(spec: dict[str, Any]) -> str:
    return ":".join(str(spec.get(key, "*")) for key in EXACT)


def _near(specs: tuple[dict[str, Any], ...], product: str) -> str:
    """What a typing error looks like: another case, a prefix, one digit."""
    for spec in specs:
        given = str(spec.get("product_id", "*"))
        if given.lower().removeprefix("0x") == product:
            return f"; {given!r} must be written {product!r}"
        if difflib.SequenceMatcher(None, given, product).ratio() >= 0.75:
            return f"; is {given!r} a typing error?"
    return ""


@pytest.mark.check("control_plane.device_spec.valid", source=NOVA_PCI)
def test_the_device_spec_says_nothing_that_nova_refuses(
    compute: Host, declared_compute: DeclaredHost, cloud: Cloud
) -> None:
    """devname cannot be used together with Placement, and managed=no asks for a card that is bound to vfio-pci."""
    devices = pci_devices.read(compute)
    path = _dialect(cloud).compute_nova_conf
    for spec in _compute(compute, cloud).device_specs:
        require(
            not ("devname" in spec and "address" in spec),
            "device-spec-contradicts-itself",
            f"{spec} has devname and address",
            fix="keep the address",
            file=path,
        )
        unbound = [
            d.address for d in devices if d.is_nvidia_gpu and d.driver != "vfio-pci" and _takes(spec, d.product_id)
        ]
        require(
            str(spec.get("managed", "yes")).lower() not in ("no", "false", "0") or not unbound,
            "unmanaged-device-not-bound",
            f"managed is {spec.get('managed')!r}, and {', '.join(unbound)} is not bound to vfio-pci",
            fix="bind the cards at boot (vfio-pci.ids=…), or leave managed out",
            file=path,
        )


@pytest.mark.check("control_plane.filters.pci", rests_on=("undercloud.overcloud.complete",), source=NOVA_PCI)
def test_the_scheduler_filters_by_pci_devices_and_numa(
    controller: Host, declared_controller: DeclaredHost, cloud: Cloud
) -> None:
    """PciPassthroughFilter keeps GPU instances from hosts without a free card, NUMATopologyFilter from the wrong socket."""
    filters = _api(controller, cloud).filters
    dialect = _dialect(cloud)

    missing = {"PciPassthroughFilter", "NUMATopologyFilter"} - set(filters or ())
    require(
        not missing,
        "filter-missing",
        f"enabled_filters lacks {', '.join(sorted(missing))} (it has {', '.join(filters or ()) or 'no list of its own'})",
        fix=f"add it to {dialect.filter_parameter} and deploy",
        file=dialect.api_nova_conf,
    )


@pytest.mark.check("control_plane.filters.known", source=NOVA_OPTIONS)
def test_every_filter_exists_in_the_release(controller: Host, declared_controller: DeclaredHost, cloud: Cloud) -> None:
    """One name that cannot be imported, and nova-scheduler does not start."""
    conf = _api(controller, cloud)
    dialect = _dialect(cloud)
    own = [
        option for option in conf.options if option.name == "available_filters" and "all_filters" not in option.value
    ]

    unknown = [name for name in conf.filters or () if name not in dialect.known_filters()]
    require(
        not unknown or own,
        "filter-unknown-to-the-release",
        f"{cloud.release} has no {', '.join(unknown)}: the scheduler ends with SchedulerHostFilterNotFound",
        fix=f"remove it from {dialect.filter_parameter} and deploy",
        file=dialect.api_nova_conf,
    )


def _services(host: DeclaredHost) -> Iterator[str]:
    yield from ("nova-compute",) if host.is_compute else ("nova-api", "nova-scheduler")


def _require_in_effect(host: Host, declared: DeclaredHost, dialect: Release, path: str) -> None:
    written, changed = nova_conf.read(host, path), nova_service.modified(host, path)
    for name in _services(declared):
        service = nova_service.read(host, name, dialect.container_engine)
        require(
            service.started is not None,
            "service-not-running",
            f"{service.name} does not run",
            fix=f"see its log under /var/log, then start {service.name}",
        )
        effective = nova_service.read_configuration(host, name, dialect.container_engine)
        require(
            effective.options == written.options,
            "another-file-in-effect",
            f"{service.name} has another nova.conf than {path}",
            fix=f"change {path}: a file on the host is not what the container reads",
            file=path,
        )
        require(
            service.started is None or service.started + CLOCK_STEP >= changed,
            "service-not-restarted",
            f"{path} was changed at {changed:%F %T}, {service.name} runs since {service.started:%F %T}",
            fix=f"restart {service.name}",
            file=path,
        )


@pytest.mark.check("control_plane.config.api_in_effect", source=NOVA_OPTIONS)
def test_the_control_plane_runs_with_its_configuration(
    controller: Host, declared_controller: DeclaredHost, cloud: Cloud
) -> None:
    """nova-api and nova-scheduler were started after nova.conf was changed last, and read this very file."""
    dialect = _dialect(cloud)

    _require_in_effect(controller, declared_controller, dialect, dialect.api_nova_conf)


@pytest.mark.check("control_plane.config.compute_in_effect", source=NOVA_OPTIONS)
def test_nova_compute_runs_with_its_configuration(compute: Host, declared_compute: DeclaredHost, cloud: Cloud) -> None:
    """nova-compute was started after nova.conf was changed last, and reads this very file."""
    dialect = _dialect(cloud)

    _require_in_effect(compute, declared_compute, dialect, dialect.compute_nova_conf)


@pytest.mark.check(
    "control_plane.compute.up",
    rests_on=("undercloud.overcloud.complete", "control_plane.config.compute_in_effect"),
    source="https://docs.openstack.org/nova/latest/admin/services.html",
    api=True,
)
def test_nova_compute_is_up(declared_compute: DeclaredHost, admin: Any, environment: Environment) -> None:
    """nova-compute reports: a host whose service is down gets no instance."""
    found = [
        service
        for service in nova.services(admin)
        if service.binary == "nova-compute" and service.host.split(".")[0] == declared_compute.name
    ]

    require(
        found,
        "compute-not-registered",
        "Nova knows no nova-compute of this host",
        fix="nova-manage cell_v2 discover_hosts, and see nova-compute.log",
    )
    require(found[0].is_up, "compute-down", "nova-compute does not report", fix="see nova-compute.log")
    require(
        found[0].is_enabled,
        "compute-disabled",
        "nova-compute is disabled",
        fix="openstack compute service set --enable HOST nova-compute",
    )


@pytest.mark.check(
    "control_plane.placement.agrees",
    rests_on=("control_plane.compute.up",),
    source="https://docs.openstack.org/placement/latest/",
    api=True,
)
def test_placement_knows_what_the_host_has(
    declared_compute: DeclaredHost, admin: Any, environment: Environment
) -> None:
    """The host's provider offers processors and memory, and, where Nova reports PCI devices, as many cards as declared."""
    found = nova.inventory(admin, declared_compute.name)

    require(
        found is not None and found.vcpus > 0 and found.memory_mb > 0,
        "no-resource-provider",
        "Placement has no provider of this host with VCPU and MEMORY_MB",
        fix="see nova-compute.log for Placement's refusal; is the host's name the one that it had?",
    )
    cards = sum(gpu.count for gpu in declared_compute.gpus)
    require(
        found is None or found.pci_devices is None or found.pci_devices == cards,
        "placement-counts-other-cards",
        f"Placement offers {found.pci_devices if found else 0} PCI devices, {cards} cards are declared",
        fix="compare device_spec with lspci -nn; nova-manage placement heal_allocations; see nova-compute.log",
    )

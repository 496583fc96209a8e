"""Options of Nova that have to do with passed-through cards: names that exist, values that work."""

from __future__ import annotations

import difflib

import pytest

from access.host import Host
from cloud_file.cloud import Cloud
from cloud_file.deployer import LATER_OPTIONS, Deployer
from cloud_file.sections.hosts import DeclaredHost
from judging.configuration import Configuration, require_aliases_taken
from judging.verdicts import require
from probes.openstack.nova_release import Versions

NOVA_OPTIONS = "https://docs.openstack.org/nova/latest/configuration/config.html#pci"
PCIE_PORTS = "https://docs.openstack.org/nova/latest/configuration/config.html#libvirt.num_pcie_ports"


@pytest.mark.check("control_plane.nova_conf.api", rests_on=("undercloud.*",), source=NOVA_OPTIONS)
def test_nova_api_can_read_its_configuration(
    controller: Host,
    declared_controller: DeclaredHost,
    api_configuration: Configuration,
    nova_versions: Versions,
    deployer: Deployer,
) -> None:
    """A line that Nova cannot read, or an alias that it refuses, ends nova-api and nova-scheduler at their start."""
    require(
        api_configuration.conf.options,
        "empty",
        f"{api_configuration.path} sets nothing",
        apply=deployer.settings.how_to_apply,
    )
    require_aliases_taken(api_configuration, nova_versions)


@pytest.mark.check("control_plane.nova_conf.compute", rests_on=("undercloud.*",), source=NOVA_OPTIONS)
def test_nova_compute_can_read_its_configuration(
    compute: Host,
    declared_compute: DeclaredHost,
    compute_configuration: Configuration,
    nova_versions: Versions,
    deployer: Deployer,
) -> None:
    """A line that Nova cannot read, or an alias that it refuses, ends nova-compute at its start."""
    require(
        compute_configuration.conf.options,
        "empty",
        f"{compute_configuration.path} sets nothing",
        apply=deployer.settings.how_to_apply,
    )
    require_aliases_taken(compute_configuration, nova_versions)


@pytest.mark.check(
    "control_plane.options.known", rests_on=("control_plane.nova_conf.*", "undercloud.*"), source=NOVA_OPTIONS
)
def test_the_pci_options_are_ones_that_the_release_reads(
    compute: Host, declared_compute: DeclaredHost, compute_configuration: Configuration, deployer: Deployer
) -> None:
    """Nova passes over an option that it does not know: a misspelt or a later one is as good as none."""
    for option in compute_configuration.conf.options:
        if option.section != "pci":
            continue
        near = difflib.get_close_matches(option.name, deployer.pci_options, n=1, cutoff=0.5)
        later = option.name in LATER_OPTIONS
        write = "passthrough_whitelist" if later else (near[0] if near else "one of the release's")
        require(
            option.name in deployer.pci_options,
            "option-unknown-to-the-release",
            f"[pci] {option.name} is read by no service of {deployer.title}",
            write=write,
            file=compute_configuration.file_of(option),
            line_number=option.line_number,
        )


@pytest.mark.check("control_plane.options.pcie_ports", rests_on=("control_plane.nova_conf.*",), source=PCIE_PORTS)
def test_instances_have_ports_for_their_cards(
    compute: Host,
    declared_compute: DeclaredHost,
    compute_configuration: Configuration,
    cloud: Cloud,
    deployer: Deployer,
) -> None:
    """A q35 instance without spare PCI Express root ports takes no second device later: attaching one fails."""
    conf = compute_configuration.conf
    machine = conf.option("libvirt", "hw_machine_type")
    image = (cloud.image.properties.get("hw_machine_type", "") if cloud.image else "").lower()
    is_q35 = "q35" in image or (not image and machine is not None and "q35" in machine.value.lower())
    ports = conf.option("libvirt", "num_pcie_ports")

    require(
        not is_q35 or (ports is not None and ports.value not in ("", "0")),
        "no-pcie-ports-for-q35",
        f"instances are of type q35, [libvirt] num_pcie_ports is {ports.value if ports else 'not set'}: "
        "libvirt leaves one free port ('No more available PCI slots')",
        setting=deployer.settings.pcie_ports,
        apply=deployer.settings.how_to_apply,
        file=compute_configuration.file_of(ports),
        line_number=ports.line_number if ports else None,
    )

"""Every parser by the name of its folder of samples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from probes import (
    alias_request,
    audit_log,
    bandwidth_sample,
    clock,
    cpu_vendor,
    device_query,
    firmware,
    gpu_burn,
    grub,
    guest_console,
    host_inventory,
    kernel_cmdline,
    kernel_config,
    kernel_log,
    kernel_release,
    libvirt_domains,
    lsmod,
    lspci,
    memory_locking,
    module_parameters,
    nova_conf,
    nova_log,
    numa_nodes,
    nvbandwidth,
    nvidia_module,
    p2p_bandwidth,
    pci_devices,
    residue,
    undercloud,
    vfio_log,
)
from probes.nvidia_smi import failures, query, topology
from probes.openstack import guest_panic, pci_claims

SAMPLES = Path(__file__).parent / "samples"


def _loader_entry(text: str) -> grub.BootEntry:
    return grub.parse_loader_entry(text, {"kernelopts": "root=/dev/vda1 ro quiet"}, "/boot/loader/entries/x-5.14.conf")


PARSERS: dict[str, Callable[[str], Any]] = {
    "bandwidth_sample": bandwidth_sample.parse_runs,
    "device_query": device_query.parse,
    "gpu_burn": gpu_burn.parse,
    "grub_config": grub.parse_menu,
    "grub_defaults": grub.parse_defaults,
    "grub_loader_entry": _loader_entry,
    "kernel_cmdline": kernel_cmdline.parse,
    "kernel_log": kernel_log.parse,
    "libvirt_domains": libvirt_domains.parse,
    "lsmod": lsmod.parse,
    "lspci": lspci.parse,
    "nova_conf": nova_conf.parse,
    "nvbandwidth": nvbandwidth.parse,
    "nvidia_module": nvidia_module.parse,
    "nvidia_smi_failures": query.parse,
    "nvidia_smi_query": query.parse,
    "nvidia_smi_topo": topology.parse,
    "nvidia_smi_topo_p2p": topology.parse_peers,
    "p2p_excerpt": p2p_bandwidth.parse_matrices,
    "p2p_bandwidth": p2p_bandwidth.parse,
    "pci_devices": pci_devices.parse,
}
"""Each has samples."""

FURTHER: dict[str, Callable[[str], Any]] = {
    "audit_log": audit_log.parse,
    "clock": clock.parse,
    "cpu_vendor": cpu_vendor.parse,
    "failures": failures.parse,
    "firmware": firmware.parse,
    "grubenv": grub.parse_environment,
    "guest_console": guest_console.parse,
    "guest_panic": guest_panic.parse,
    "alias_request": alias_request.parse,
    "host_inventory": host_inventory.parse,
    "kernel_config": kernel_config.parse,
    "kernel_release": kernel_release.parse,
    "memory_locking": memory_locking.parse,
    "memory_residue": residue.parse,
    "memory_residue_state": residue.parse_state,
    "module_parameters": module_parameters.parse,
    "nova_log": nova_log.parse,
    "numa_nodes": numa_nodes.parse,
    "pci_claims": pci_claims.parse,
    "undercloud_rows": undercloud.parse_rows,
    "vfio_log": vfio_log.parse,
}
"""Parsers of what our own commands print, without samples."""

WHOLE = (
    "bandwidth_sample",
    "device_query",
    "gpu_burn",
    "nvbandwidth",
    "nvidia_smi_query",
    "nvidia_smi_topo",
    "nvidia_smi_topo_p2p",
    "p2p_bandwidth",
    "pci_devices",
)
"""Answers whose end can be told: a part of one is never read as a whole one."""


def texts_of(tool: str) -> list[str]:
    """All samples of a tool, with their line ends as they are."""
    return [path.read_bytes().decode() for path in sorted((SAMPLES / tool).glob("*.txt"))]

"""QEMU's command line of a virtual machine: processors, memory by NUMA node, IOMMU, disks, cards."""

from __future__ import annotations

import fcntl
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.hosts.hardware import sysfs
from lab.metal import debian, disk, network
from lab.metal.layout import MetalDir
from lab.state import LabState

HARDWARE = re.compile(r"^flags\s*:.*\b(?:vmx|svm)\b", re.M)
KVM_CREATE_VM = 0xAE01
"""<linux/kvm.h>"""
WITHOUT_ACS = "ioh3420"
"""Intel's root port of 2009; QEMU's own always isolates."""
FIRST_BUS, BUS_STEP = 0x40, 0x40
"""Each NUMA node has a host bridge of its own (pxb-pcie); the bus below its first port follows its number."""


def command(state: LabState, name: str) -> list[str]:
    """The whole command line.

    Raises:
        LabError: a card stands where this machine has no slot.
    """
    host, directory, root = state.declared(name), MetalDir(state.paths, name), debian.tree(state.paths)
    nodes = int(host["cpu"]["sockets"])
    options = ["-nodefaults", "-no-user-config", "-display", "none", "-name", name, *disk.firmware(root)]
    options += [*_accelerator(), *_processors(host), *_memory(int(host["memory_mb"]), nodes), *_iommu(host)]
    options += ["-drive", f"file={directory.disk},if=none,id=disk,format=qcow2,cache=unsafe"]
    options += ["-device", "virtio-blk-pci,drive=disk,bootindex=0"]
    options += ["-drive", f"file={directory.seed},if=none,id=seed,format=raw,readonly=on"]
    options += ["-device", "virtio-blk-pci,drive=seed", "-device", "virtio-rng-pci"]
    options += network.options(state, name)
    options += ["-serial", f"file:{directory.console}", "-qmp", f"unix:{directory.control},server=on,wait=off"]
    options += [*_bridges(nodes), *_cards(host.get("gpus", ()), directory)]
    return debian.program(root, "qemu-system-x86_64", *options)


def _accelerator() -> list[str]:
    if not _has_kvm():
        return ["-machine", "q35,kernel-irqchip=off", "-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max"]
    # interrupts are remapped only where the I/O APIC is QEMU's own
    return ["-machine", "q35,kernel-irqchip=split", "-accel", "kvm", "-cpu", "host"]


def _has_kvm() -> bool:
    """Whether KVM can be used: with one of software (kvm_pvm) a machine can be made, and its firmware never ends."""
    if not HARDWARE.search(Path("/proc/cpuinfo").read_text()):
        return False
    try:
        with open("/dev/kvm", "rb+", buffering=0) as device:
            os.close(fcntl.ioctl(device, KVM_CREATE_VM, 0))
    except OSError:
        return False
    return True


def _processors(host: dict[str, Any]) -> list[str]:
    cpu = host["cpu"]
    sockets, cores, threads = int(cpu["sockets"]), int(cpu["cores_per_socket"]), int(cpu.get("threads", 1))
    return ["-smp", f"{sockets * cores * threads},sockets={sockets},cores={cores},threads={threads}"]


def _memory(size_mb: int, nodes: int) -> list[str]:
    """Memory that is shared with the cards' processes, as vfio-user asks."""
    options = ["-m", f"{size_mb}M"]
    for node in range(nodes):
        options += ["-object", f"memory-backend-memfd,id=memory{node},size={size_mb // nodes}M,share=on"]
        options += ["-numa", f"node,nodeid={node},memdev=memory{node}", "-numa", f"cpu,node-id={node},socket-id={node}"]
    return options


def _iommu(host: dict[str, Any]) -> list[str]:
    """Intel's, with what a guest of this machine needs: its mappings are followed (caching-mode)."""
    if not host["firmware"].get("iommu"):
        return []
    remapping = "on" if host["firmware"].get("interrupt_remapping", True) else "off"
    return ["-device", f"intel-iommu,intremap={remapping},caching-mode=on,device-iotlb=off,aw-bits=48"]


def _bridges(nodes: int) -> list[str]:
    options = []
    for node in range(nodes):
        numa = f",numa_node={node}" if nodes > 1 else ""
        options += ["-device", f"pxb-pcie,id=bridge{node},bus=pcie.0,bus_nr={FIRST_BUS + node * BUS_STEP}{numa}"]
    return options


def _cards(gpus: list[dict[str, Any]], directory: MetalDir) -> list[str]:
    options, ports = [], dict[int, int]()
    for number, gpu in enumerate(gpus):
        node, address = int(gpu.get("numa_node", 0)), str(gpu["address"])
        place = ports[node] = ports.get(node, 0) + 1
        wanted = FIRST_BUS + node * BUS_STEP + place
        if sysfs.bus_of(address) != wanted:
            raise LabError(f"{directory.name}: {address} is no slot here; card {number} is at bus {wanted:02x}")
        slot = _Slot(number, node, place)
        options += slot.port(0, gpu)
        card = {"driver": "vfio-user-pci", "id": f"gpu{number}", "bus": f"port{number}"}
        where = {"socket": {"type": "unix", "path": str(directory.socket_of(number))}}
        options += ["-device", json.dumps({**card, **where})]
        for function, companion in enumerate(gpu.get("companions", ()), 1):
            options += [*slot.port(function, gpu), "-device", f"{companion['driver']},bus=port{number}.{function}"]
    return options


@dataclass(frozen=True)
class _Slot:
    """Root ports for a card and its companions: functions of one device, so that without ACS they share a group."""

    number: int
    node: int
    place: int

    def port(self, function: int, gpu: dict[str, Any]) -> list[str]:
        """The port of the card, function 0, is called portN, those of its companions portN.1 and so on."""
        name = f"port{self.number}.{function}" if function else f"port{self.number}"
        number = (self.number + 1) + 100 * function  # of the chassis, which tells ports apart
        words = ["pcie-root-port" if gpu.get("acs", True) else WITHOUT_ACS, f"id={name}", f"bus=bridge{self.node}"]
        words += [f"chassis={number},slot={number},addr={self.place - 1:#x}.{function:#x}"]
        words += ["multifunction=on"] if gpu.get("companions") else []
        return ["-device", ",".join(words)]

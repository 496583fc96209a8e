"""lspci of a machine says what the declared hardware is, in a real server's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lab_machines import Machines, corpus

P100 = {"model": "P100-PCIE-16GB", "address": "0000:04:00.0", "numa_node": 0}


def test_ids_names_and_bridges(machines: Machines, compute: str) -> None:
    """lspci shows ids, names and bridges of the declared cards."""
    text = machines.sh(compute, "lspci -nn")

    assert (
        "04:00.0 3D controller [0302]: NVIDIA Corporation GP100GL [Tesla P100 PCIe 16GB] [10de:15f8] (rev a1)" in text
    )
    assert text.count("PCI bridge [0604]") == 2


def test_verbose_output_has_every_line_of_a_real_p100(machines: Machines, compute: str) -> None:
    """lspci -vv has the capabilities of a real P100; addresses, sizes and driver may differ."""
    real = corpus("lspci/p100-pcie-host-a.txt")
    own = {"NUMA", "Region", "Interrupt:", "Address:", "Kernel", "Control:", "Subsystem:", "Latency:", "Status:"}
    # newer pciutils write these another way: (ok) is gone, compliance presets and 10-bit tags are new
    reworded = {"LnkSta:", "DevCtl2:", "10BitTagComp-", "Compliance", "LnkCtl2:", "Transmit"}
    expected = [line.strip() for line in real.splitlines()[1:] if line.split()[0] not in own | reworded]
    expected = [
        line for line in expected if not line.startswith("Capabilities: [68] MSI") and "SlotPowerLimit" not in line
    ]

    text = machines.sh(compute, "lspci -vv -s 04:00.0")

    found = {line.strip() for line in text.splitlines()}
    assert [line for line in expected if line not in found] == []


def test_a_card_has_three_regions_and_says_whether_its_function_can_be_reset(
    machines: Machines, host: Callable[..., str]
) -> None:
    """Registers, memory and a third region stand where real cards have them; only newer ones reset their function."""
    old, new = host(gpus=[P100]), host(gpus=[{**P100, "model": "H100-PCIE-80GB"}])

    text = machines.sh(old, "lspci -vv -s 04:00.0")
    assert [line.split(":")[0].strip() for line in text.splitlines() if "Region" in line] == [
        "Region 0",
        "Region 1",
        "Region 3",
    ]
    assert "Region 3: Memory at" in text
    assert "[size=32M]" in text
    assert "FLReset- SlotPowerLimit" in text
    text = machines.sh(new, "lspci -vv -s 04:00.0")
    assert "Region 4: Memory at" in text
    assert "FLReset+ SlotPowerLimit" in text


def test_other_users_see_no_capabilities(machines: Machines, compute: str) -> None:
    """lspci shows capabilities to root only."""
    text = machines.sh(compute, "lspci -vv -s 04:00.0", user="heat-admin")

    assert "Capabilities: <access denied>" in text
    assert "LnkSta" not in text


def test_degraded_link_is_shown_as_downgraded(machines: Machines, host: Callable[..., str]) -> None:
    """lspci marks a link below the card's capability as downgraded."""
    name = host(gpus=[{**P100, "link": {"generation": 1, "width": 8}}])

    text = machines.sh(name, "lspci -vv -s 04:00.0; cat /sys/bus/pci/devices/0000:04:00.0/current_link_speed")

    assert "LnkSta:\tSpeed 2.5GT/s (downgraded), Width x8 (downgraded)" in text
    assert "2.5 GT/s PCIe" in text


def test_every_function_has_a_group_only_with_the_iommu(machines: Machines, host: Callable[..., str]) -> None:
    """Functions have IOMMU groups only while the IOMMU is on."""
    name = host()
    count = "ls -d /sys/bus/pci/devices/*/iommu_group 2>/dev/null | wc -l"

    without = machines.sh(name, count)
    machines.reboot_with(name, "intel_iommu=on")

    assert without.strip() == "0"
    assert machines.sh(name, count) == machines.sh(name, "ls /sys/bus/pci/devices | wc -l")


def test_companions_and_missing_acs_share_the_group(machines: Machines, host: Callable[..., str]) -> None:
    """A card shares its group with its audio function and, without ACS, with the bridge above it."""
    audio = {
        "address": "0000:04:00.1",
        "vendor_id": "10de",
        "product_id": "10f8",
        "class": 0x040300,
        "driver": "snd_hda_intel",
    }
    gpu: dict[str, Any] = {**P100, "acs": False, "companions": [audio]}
    name = host(gpus=[gpu])
    machines.reboot_with(name, "intel_iommu=on")

    members = machines.sh(name, "ls /sys/bus/pci/devices/0000:04:00.0/iommu_group/devices")

    assert members.split() == ["0000:00:02.0", "0000:04:00.0", "0000:04:00.1"]

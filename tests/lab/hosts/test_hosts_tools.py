"""The machines' own tools speak as the real ones do."""

from __future__ import annotations

from collections.abc import Callable

from lab_machines import Machines

Host = Callable[..., str]


def test_libvirt_names_firmware_and_kernel_apart(machines: Machines, host: Host) -> None:
    """virt-host-validate distinguishes an IOMMU missing in the firmware from one off in the kernel."""
    no_table = machines.sh(
        host(firmware={"type": "bios", "iommu": False, "secure_boot": False}), "virt-host-validate qemu"
    )
    name = host()
    no_argument = machines.sh(name, "virt-host-validate qemu")
    machines.reboot_with(name, "intel_iommu=on")

    assert "WARN (No ACPI DMAR table found, IOMMU either disabled in BIOS or not supported" in no_table
    assert (
        "WARN (IOMMU appears to be disabled in kernel. Add intel_iommu=on to kernel cmdline arguments)" in no_argument
    )
    assert "WARN" not in machines.sh(name, "virt-host-validate")


def test_libvirt_shows_driver_node_and_group(machines: Machines, compute: str) -> None:
    """virsh nodedev-dumpxml shows driver, NUMA node and IOMMU group."""
    text = machines.sh(compute, "virsh nodedev-list --cap pci; virsh nodedev-dumpxml pci_0000_84_00_0")

    assert "pci_0000_04_00_0" in text
    assert "<product id='0x15f8'/>" in text
    assert "<numa node='1'/>" in text
    assert "<address domain='0x0000' bus='0x84' slot='0x00' function='0x0'/>" in text


def test_secure_boot_is_what_the_firmware_says(machines: Machines, host: Host) -> None:
    """mokutil shows the secure boot state that was declared."""
    bios = machines.client.run(host(), ["mokutil", "--sb-state"])
    uefi = host(firmware={"type": "uefi", "iommu": True, "secure_boot": True})

    assert bios.stderr.strip() == "EFI variables are not supported on this system"
    assert machines.sh(uefi, "mokutil --sb-state").strip() == "SecureBoot enabled"
    assert "Secure boot enabled" in machines.sh(uefi, "dmesg")


def test_boot_time_is_the_machines_own(machines: Machines, host: Host) -> None:
    """Boot time and uptime are those of the machine, not of the computer below."""
    name = host()
    machines.client.reboot(name)

    seconds = machines.sh(name, "echo $(($(date +%s) - $(awk '/^btime/ {print $2}' /proc/stat)))")

    assert 0 <= int(seconds) < 60
    assert machines.sh(name, "dmidecode -s system-manufacturer").strip() == "Supermicro"


def test_reserved_memory_and_interrupt_remapping_stand_in_the_log(machines: Machines, host: Host) -> None:
    """The kernel's log shows reserved regions and interrupt remapping as declared."""
    gpu = {"model": "P100-PCIE-16GB", "address": "0000:04:00.0", "numa_node": 0, "rmrr": True}
    firmware = {"type": "bios", "iommu": True, "secure_boot": False, "interrupt_remapping": False}

    text = machines.sh(host(gpus=[gpu], firmware=firmware), "dmesg")

    assert "DMAR: RMRR base: 0x0000007ba59000 end: 0x0000007ba68fff" in text
    assert "DMAR-IR" not in text

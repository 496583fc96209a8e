"""A reboot makes the kernel what firmware, boot loader and initramfs say: cause first, effect after."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lab_machines import Machines, wait_until

RHEL_7 = {"distribution": "rhel", "version": "7.4", "kernel": "3.10.0-693.el7.x86_64", "bls": False}
RHEL_8 = {"distribution": "rhel", "version": "8.4", "kernel": "4.18.0-305.el8.x86_64", "bls": True}
UBUNTU = {"distribution": "ubuntu", "version": "24.04", "kernel": "6.8.0-45-generic", "arguments": "quiet"}
RHEL_9 = {"distribution": "rhel", "version": "9.4", "kernel": "5.14.0-427.el9.x86_64", "bls": True}
EPYC = {"vendor": "amd", "model": "AMD EPYC 7742 64-Core Processor", "sockets": 2, "cores_per_socket": 64, "threads": 2}
UEFI = {"type": "uefi", "iommu": True, "secure_boot": False}
CMDLINE = "cat /proc/cmdline"
GROUPS = "ls /sys/kernel/iommu_groups | wc -l"
ADD = "sed -i 's/^GRUB_CMDLINE_LINUX=\"/&intel_iommu=on /' /etc/default/grub"
DRIVER = "cd /sys/bus/pci/devices/0000:04:00.0; if [ -e driver ]; then basename $(readlink driver); else echo none; fi"
Host = Callable[..., str]


def test_an_edited_default_changes_nothing_before_mkconfig_and_reboot(machines: Machines, host: Host) -> None:
    """/etc/default/grub has an effect only after grub2-mkconfig and a reboot."""
    name = host()

    machines.sh(name, ADD)
    machines.client.reboot(name)
    after_reboot_alone = machines.sh(name, CMDLINE)
    machines.sh(name, "grub2-mkconfig -o /boot/grub2/grub.cfg")
    after_mkconfig_alone = machines.sh(name, CMDLINE)
    machines.client.reboot(name)

    assert "intel_iommu" not in after_reboot_alone + after_mkconfig_alone
    assert "intel_iommu=on" in machines.sh(name, CMDLINE)


def test_uefi_reads_its_own_file_and_not_the_bios_one(machines: Machines, host: Host) -> None:
    """A UEFI machine boots from the file on its EFI partition."""
    name = host(firmware=UEFI)

    machines.sh(name, f"{ADD} && grub2-mkconfig -o /boot/grub2/grub.cfg")
    machines.client.reboot(name)
    wrong_file = machines.sh(name, CMDLINE)
    machines.sh(name, "grub2-mkconfig -o /boot/efi/EFI/redhat/grub.cfg")
    machines.client.reboot(name)

    assert "intel_iommu" not in wrong_file
    assert "intel_iommu=on" in machines.sh(name, CMDLINE)


def test_ubuntu_has_one_grub_cfg_for_both_kinds_of_firmware(machines: Machines, host: Host) -> None:
    """update-grub writes it, with the settings of /etc/default/grub.d behind those of /etc/default/grub."""
    for firmware in ({}, {"firmware": UEFI}):
        name = host(os=UBUNTU, **firmware)
        machines.sh(name, "mkdir -p /etc/default/grub.d")
        added = 'GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT intel_iommu=on"'
        machines.sh(name, f"echo '{added}' > /etc/default/grub.d/60-gpu.cfg")
        machines.client.reboot(name)
        after_reboot_alone = machines.sh(name, CMDLINE)
        machines.sh(name, "update-grub")
        machines.client.reboot(name)

        assert "intel_iommu" not in after_reboot_alone
        assert machines.sh(name, CMDLINE).split()[-2:] == ["quiet", "intel_iommu=on"]
        assert machines.sh(name, "command -v grubby dracut grub2-mkconfig || echo none").strip() == "none"


def test_ubuntu_packs_early_modules_that_initramfs_tools_names(machines: Machines, host: Host) -> None:
    """vfio-pci takes the cards before nouveau where update-initramfs packed it."""
    name = host(os=UBUNTU)
    machines.sh(name, "rm -f /etc/modprobe.d/*; echo 'options vfio-pci ids=10de:15f8' > /etc/modprobe.d/vfio.conf")
    machines.client.reboot(name)
    by_itself = machines.sh(name, DRIVER).strip()
    machines.sh(name, "echo vfio-pci >> /etc/initramfs-tools/modules; update-initramfs -u")
    machines.client.reboot(name)

    assert (by_itself, machines.sh(name, DRIVER).strip()) == ("nouveau", "vfio-pci")
    assert "vfio-pci.ko" in machines.sh(name, "lsinitramfs /boot/initrd.img-$(uname -r)")


def test_since_rhel_9_3_mkconfig_leaves_bls_entries_alone(machines: Machines, host: Host) -> None:
    """In RHEL 9 grub2-mkconfig does not change boot loader entries without its option."""
    name = host(os=RHEL_9, firmware=UEFI)

    machines.sh(name, f"{ADD} && grub2-mkconfig -o /boot/grub2/grub.cfg")
    machines.client.reboot(name)
    without_option = machines.sh(name, CMDLINE)
    machines.sh(name, "grub2-mkconfig -o /boot/grub2/grub.cfg --update-bls-cmdline")
    machines.client.reboot(name)

    assert "intel_iommu" not in without_option
    assert "intel_iommu=on" in machines.sh(name, CMDLINE)


def test_rhel_8_keeps_arguments_in_grubenv(machines: Machines, host: Host) -> None:
    """RHEL 8 reads kernel arguments from grubenv."""
    name = host(os=RHEL_8)

    machines.sh(name, f"{ADD} && grub2-mkconfig -o /boot/grub2/grub.cfg")
    machines.client.reboot(name)

    assert "intel_iommu=on" in machines.sh(name, "grub2-editenv - list | grep kernelopts")
    assert "intel_iommu=on" in machines.sh(name, CMDLINE)


def test_grubby_changes_what_boots(machines: Machines, host: Host) -> None:
    """Arguments set with grubby are on the command line after a reboot, in each release of RHEL."""
    for system in (RHEL_7, RHEL_8, RHEL_9):
        name = host(os=system)

        machines.sh(name, "grubby --update-kernel=ALL --args='intel_iommu=on iommu=pt' --remove-args=quiet")
        machines.client.reboot(name)

        words = machines.sh(name, CMDLINE).split()
        assert {"intel_iommu=on", "iommu=pt"} <= set(words)
        assert "quiet" not in words


def test_argument_without_firmware_gives_no_groups(machines: Machines, host: Host) -> None:
    """intel_iommu=on gives no IOMMU groups where the firmware has the IOMMU off."""
    name = host(firmware={"type": "bios", "iommu": False, "secure_boot": False})

    machines.reboot_with(name, "intel_iommu=on")

    assert "DMAR: IOMMU enabled" in machines.sh(name, "dmesg")
    assert machines.sh(name, GROUPS).strip() == "0"
    assert machines.sh(name, "ls /sys/firmware/acpi/tables").strip() == ""


def test_amd_has_its_iommu_without_argument(machines: Machines, host: Host) -> None:
    """An AMD host has IOMMU groups without any kernel argument."""
    name = host(cpu=EPYC)

    text = machines.sh(name, "ls /sys/firmware/acpi/tables; dmesg; lspci -nn")

    assert "IVRS" in text
    assert "AMD-Vi: Interrupt remapping enabled" in text
    assert "[1022:1480]" in text
    assert int(machines.sh(name, GROUPS)) > 2


def test_nouveau_needs_a_blacklist_in_initramfs_and_root(machines: Machines, host: Host) -> None:
    """nouveau stays away only if it is blacklisted in the initramfs and on the root file system."""
    name = host()
    machines.sh(name, "rm /etc/modprobe.d/blacklist-nouveau.conf && dracut -f")
    machines.client.reboot(name)
    bound = machines.sh(name, DRIVER).strip()

    machines.sh(name, "echo 'blacklist nouveau' > /etc/modprobe.d/nouveau.conf")
    machines.client.reboot(name)
    still_bound = machines.sh(name, DRIVER).strip()
    machines.sh(name, "dracut -f")
    machines.client.reboot(name)

    assert (bound, still_bound) == ("nouveau", "nouveau")
    assert machines.sh(name, DRIVER).strip() == "none"


def test_vfio_takes_the_cards_only_when_something_loads_it(machines: Machines, host: Host) -> None:
    """vfio-pci binds the cards only if a configuration loads the module."""
    name = host()
    machines.sh(name, "echo 'options vfio-pci ids=10de:15f8' > /etc/modprobe.d/vfio.conf")
    machines.client.reboot(name)
    by_options_alone = machines.sh(name, DRIVER).strip()

    machines.sh(name, "echo vfio-pci > /etc/modules-load.d/vfio-pci.conf")
    machines.client.reboot(name)

    assert by_options_alone == "none"
    assert machines.sh(name, DRIVER).strip() == "vfio-pci"
    assert "Kernel driver in use: vfio-pci\n\tKernel modules: nouveau" in machines.sh(name, "lspci -nnk -s 04:00.0")
    assert "vfio_pci" in machines.sh(name, "lsmod")


def test_dracut_names_a_module_that_the_kernel_does_not_have(machines: Machines, host: Host) -> None:
    """dracut reports a module that the kernel does not have."""
    name = host()
    machines.sh(name, "echo 'add_drivers+=\" vfio_pci vfio_nonsense \"' > /etc/dracut.conf.d/vfio.conf")

    text = machines.sh(name, "dracut -f 2>&1; lsinitrd")

    assert "dracut-install: Failed to find module 'vfio_nonsense'" in text
    assert "kernel/drivers/vfio/pci/vfio-pci.ko" in text


def test_modprobe_and_modinfo_know_the_kernels_modules(machines: Machines, compute: str) -> None:
    """modinfo and modprobe read the indexes of the real depmod."""
    assert "depends:        vfio,vfio_virqfd,irqbypass" in machines.sh(compute, "modinfo vfio-pci")

    absent = machines.client.run(compute, ["modprobe", "nvidia_nonsense_x".replace("nvidia_", "")])

    assert absent.returncode == 1
    assert "FATAL: Module nonsense_x not found in directory /lib/modules/3.10.0-693.el7.x86_64" in absent.stderr


def test_reboot_is_a_new_boot_of_the_same_machine(machines: Machines, host: Host) -> None:
    """A reboot changes the boot id and keeps the disk."""
    name = host()
    machines.sh(name, "touch /tmp/gone /root/kept")
    before = machines.client.state(name)

    after: dict[str, Any] = machines.client.reboot(name)

    assert after["boot_id"] != before["boot_id"]
    assert machines.sh(name, "ls /tmp /root").split() == ["/root:", "kept", "/tmp:"]
    assert machines.sh(name, "cat /proc/sys/kernel/random/boot_id").strip() == after["boot_id"]


def test_a_machine_without_its_boot_loaders_file_says_so(machines: Machines, host: Host) -> None:
    """Booting without the boot loader's file fails with the name of the file."""
    name = host()
    machines.sh(name, "rm /boot/grub2/grub.cfg")

    try:
        machines.client.reboot(name)
        message = ""
    except Exception as error:
        message = str(error)

    assert "boot loader finds no /boot/grub2/grub.cfg" in message


def test_processors_follow_the_declaration(machines: Machines, compute: str) -> None:
    """nproc and /proc/cpuinfo show the declared processors, uname the declared kernel."""
    assert machines.sh(compute, "nproc; grep -c ^processor /proc/cpuinfo; uname -r").split() == [
        "56",
        "56",
        "3.10.0-693.el7.x86_64",
    ]


def test_the_console_says_why_a_machine_does_not_come_back(machines: Machines, host: Host) -> None:
    """A reboot that fails writes its reason to the console."""
    name = host()
    machines.client.run(name, ["/bin/bash", "-c", "rm /boot/vmlinuz-*; reboot"])

    wait_until(lambda: "does not boot" in machines.client.console(name))

    assert "vmlinuz-3.10.0-693.el7.x86_64' not found" in machines.client.console(name)

"""Drivers that cards may have on a host: VFIO's and what is built on it, or their own where only VFs are given away."""

from __future__ import annotations

import pytest

from access.errors import Rejected
from access.host import CommandOutput
from cloud_file.cloud import Cloud
from cloud_file.deployer import load_deployer
from cloud_file.loading import CLOUDS_DIRECTORY, load
from cloud_file.sections.hosts import DeclaredHost
from probes import grub, pci_devices
from suites.hosts import test_gpus, test_iommu, test_vfio

HOST = DeclaredHost(name="gpu-1", role="ComputeGpu")
ROW = "{address} 0x10de 0x{product} 0x{kind} {driver} {group} 0 16 {physical} 16.0_GT/s 16.0_GT/s 16 16 ffde10de"


class AnsweringHost:
    """Answers the commands that it knows."""

    name = "gpu-1"

    def __init__(self, **answers: str) -> None:
        self.answers = answers

    def run(self, command: str, *, timeout_s: float = 60.0, as_root: bool = False) -> CommandOutput:
        known = next(answer for part, answer in self.answers.items() if part in command)
        return CommandOutput(self.name, command, 0, known, "", 0.0)


def _devices(*drivers: str, product: str = "20f1", kind: str = "030200", physical: str = "-") -> AnsweringHost:
    rows = [
        ROW.format(
            address=f"0000:0{number}:00.0", product=product, kind=kind, driver=driver, group=5, physical=physical
        )
        for number, driver in enumerate(drivers)
    ]
    return AnsweringHost(
        **{"sriov_totalvfs": "\n".join((*rows, "end\n")), "update-initramfs": "update-initramfs\nend\n"}
    )


@pytest.fixture
def cloud() -> Cloud:
    """A100 cards, given away whole."""
    return load(CLOUDS_DIRECTORY / "examples" / "existing.yaml")


@pytest.mark.parametrize(
    "driver", ["vfio-pci", "nvgrace-gpu-vfio-pci", "nvgrace_gpu_vfio_pci", "mlx5_vfio_pci", "vfio_pci", "-"]
)
def test_drivers_of_vfio_hold_no_card_back(driver: str, cloud: Cloud) -> None:
    """Vendors build on vfio-pci's core for devices that it alone does not know."""
    host = _devices("vfio-pci", driver)

    test_gpus.test_no_graphics_driver_of_the_host_holds_a_gpu(host, HOST, cloud, load_deployer("rhoso"))
    test_gpus.test_every_gpus_group_is_viable(host, HOST, cloud)
    assert all(device.is_on_vfio == (device.driver is not None) for device in pci_devices.read(host))


@pytest.mark.parametrize("driver", ["nouveau", "nvidia", "snd_hda_intel", "notvfio", "vfiox"])
def test_other_drivers_hold_it_back(driver: str, cloud: Cloud) -> None:
    """Whatever else has the card would have to give it up first; the fix is the deployer's and the host's own."""
    with pytest.raises(Rejected, match=driver) as error:
        test_gpus.test_no_graphics_driver_of_the_host_holds_a_gpu(
            _devices(driver), HOST, cloud, load_deployer("sunbeam")
        )
    assert "machine's tag in MAAS" in str(error.value.remedy)
    assert "update-initramfs -u -k all" in str(error.value.remedy)


def test_a_card_that_is_shared_out_keeps_its_driver(cloud: Cloud) -> None:
    """vGPU: the physical function makes the virtual ones, which alone are given away."""
    shared = cloud.gpus[0].model_copy(update={"device_type": "type-VF"})
    vgpu = cloud.model_copy(update={"gpus": (shared,)})

    test_gpus.test_no_graphics_driver_of_the_host_holds_a_gpu(_devices("nvidia"), HOST, vgpu, load_deployer("rhoso"))
    test_gpus.test_every_gpus_group_is_viable(_devices("nvidia"), HOST, vgpu)
    with pytest.raises(Rejected):
        test_gpus.test_no_graphics_driver_of_the_host_holds_a_gpu(
            _devices("nvidia"), HOST, cloud, load_deployer("rhoso")
        )


def test_hosts_that_boot_images_have_no_defaults_of_grub(cloud: Cloud) -> None:
    """bootc and ostree write the boot entries alone; elsewhere the defaults decide about the next update."""
    image = AnsweringHost(**{"ostree-booted": "yes\n"})

    assert grub.is_image_based(image)
    test_iommu.test_grub_defaults_turn_the_iommu_on(image, HOST, load_deployer("rhoso"))


def test_a_missing_argument_is_named_as_the_operator_sets_it() -> None:
    """Not by TripleO's parameter, and not by its log."""
    files = {"cat /etc/default/grub": "GRUB_CMDLINE_LINUX=quiet\n", "grub.d": "", "cpuinfo": "vendor_id: GenuineIntel"}
    menu = "menuentry 'Linux' {\n linux /vmlinuz root=/dev/sda1 ro\n}\n"
    boot = {"readlink": "/boot/grub/grub.cfg\n", "cat /boot/grub/grub.cfg": menu, "grubenv": ""}
    host = AnsweringHost(**{"ostree-booted": "no\n", **files, "config": "# none\n", **boot})

    with pytest.raises(Rejected) as error:
        test_iommu.test_grub_defaults_turn_the_iommu_on(host, HOST, load_deployer("kayobe"))
    assert "the group `iommu` of the inventory" in str(error.value.remedy)
    assert "pci-passthrough.yml" in str(error.value.remedy)


NO_WAY_BACK = "[  9.1] vfio-pci {address}: not ready 65535ms after FLR; giving up\n"


def _after_a_reset(address: str, product: str, kind: str, vendor: str = "8086") -> AnsweringHost:
    row = ROW.format(address="0000:05:00.0", product=product, kind=kind, driver="vfio-pci", group=5, physical="-")
    table = row.replace("0x10de", f"0x{vendor}") + "\nend\n"
    return AnsweringHost(sriov_totalvfs=table, dmesg=NO_WAY_BACK.format(address=address))


def test_what_another_device_did_after_a_reset_says_nothing_of_cards() -> None:
    """A network card that is given to instances as well."""
    test_vfio.test_every_card_came_back_from_its_resets(_after_a_reset("0000:05:00.0", "1592", "020000"), HOST)


@pytest.mark.parametrize(
    ("address", "kind", "vendor"),
    [
        ("0000:05:00.0", "030200", "10de"),
        ("0000:05:00.0", "060400", "8086"),
        ("0000:06:00.0", "020000", "8086"),
    ],
    ids=["a card", "the port above it", "a device that is gone"],
)
def test_a_card_or_what_may_be_one_is_lost(address: str, kind: str, vendor: str) -> None:
    """Also a bridge: what is below it went with it."""
    with pytest.raises(Rejected, match=address):
        test_vfio.test_every_card_came_back_from_its_resets(_after_a_reset(address, "20f1", kind, vendor), HOST)


LSMOD = (
    "Module                  Size  Used by\nvfio_pci               16384  2\nvfio                   45056  1 vfio_pci\n"
)
BUILT_IN = "allow_unsafe_interrupts:N\ndma_entry_limit:65535\nend:\n"


@pytest.mark.parametrize(
    ("module", "config"), [(BUILT_IN, "# none\n"), ("absent\n", "CONFIG_IOMMUFD_VFIO_CONTAINER=y\n")]
)
def test_a_backend_of_vfio_need_not_be_a_module(module: str, config: str) -> None:
    """It may be built into the kernel, which lsmod does not show, or iommufd may stand for it."""
    host = AnsweringHost(**{"lsmod": LSMOD, "/sys/module/vfio_iommu_type1": module, "config": config})

    test_vfio.test_vfio_has_its_iommu_backend(host, HOST)


def test_vfio_without_any_backend_is_rejected() -> None:
    """Loaded from an initramfs that lacks it."""
    answers = {"lsmod": LSMOD, "/sys/module/vfio_iommu_type1": "absent\n", "config": "CONFIG_VFIO=m\n"}

    with pytest.raises(Rejected, match="neither loaded nor built in"):
        test_vfio.test_vfio_has_its_iommu_backend(AnsweringHost(**answers, command="dracut\nend\n"), HOST)


def _with_loader_entry(entry: str, new_entries: str, defaults: str = "quiet") -> AnsweringHost:
    """A host of RHEL 9, whose boot entries are files of their own."""
    return AnsweringHost(
        **{
            "ostree-booted": "no\n",
            "cat /etc/default/grub": f"GRUB_CMDLINE_LINUX={defaults}\n",
            "grub.d": "",
            "cpuinfo": "vendor_id: GenuineIntel",
            "readlink": "/boot/grub2/grub.cfg\n",
            "cat /boot/grub2/grub.cfg": "blscfg\n",
            "grubenv": "saved_entry=rocky-5.14\n",
            "ls /boot/loader": "/boot/loader/entries/rocky-5.14.conf\n",
            "cat /boot/loader": f"title Rocky\nlinux /vmlinuz-5.14\noptions root=/dev/sda1 ro {entry}\n",
            "cat /etc/kernel/cmdline": f"root=/dev/sda1 ro {new_entries}\n",
            "config": "# none\n",
        }
    )


def test_an_argument_that_grubby_put_into_the_boot_entries_stays() -> None:
    """grub2-mkconfig leaves entries that are files of their own alone, and the next kernel's is given the same."""
    host = _with_loader_entry("intel_iommu=on iommu=pt", "intel_iommu=on iommu=pt")

    test_iommu.test_grub_defaults_turn_the_iommu_on(host, HOST, load_deployer("kolla-ansible"))


@pytest.mark.parametrize(("entry", "new_entries"), [("intel_iommu=on", "quiet"), ("quiet", "intel_iommu=on")])
def test_an_argument_that_the_next_kernel_or_this_entry_lacks_is_missing(entry: str, new_entries: str) -> None:
    """/etc/kernel/cmdline, as an installer wrote it, goes into the entry of each new kernel."""
    with pytest.raises(Rejected, match="intel_iommu=on"):
        test_iommu.test_grub_defaults_turn_the_iommu_on(
            _with_loader_entry(entry, new_entries), HOST, load_deployer("kolla-ansible")
        )


ARM = {"cpuinfo": "CPU implementer\t: 0x41\n", "acpi": "APIC\nIORT\nUEFI\n", "cat /proc/cmdline": "quiet\n"}
FILES = {
    "ostree-booted": "no\n",
    "cat /etc/default/grub": "GRUB_CMDLINE_LINUX=quiet\n",
    "grub.d": "",
    "config": "# none\n",
}


def test_hosts_with_arm_processors_need_no_argument() -> None:
    """GH200, GB200: the firmware's table is IORT, and the SMMU is on without being asked for."""
    host = AnsweringHost(**ARM, **FILES)

    test_iommu.test_the_firmware_offers_an_iommu(host, HOST)
    test_iommu.test_grub_defaults_turn_the_iommu_on(host, HOST, load_deployer("rhoso"))
    test_iommu.test_the_running_kernel_was_told_to_use_the_iommu(host, HOST)
    declared = HOST.model_copy(update={"cpu_vendor": "arm"})
    test_iommu.test_the_running_kernel_was_told_to_use_the_iommu(AnsweringHost(**{"cat /proc": "quiet\n"}), declared)


def test_an_smmu_that_is_switched_off_is_found() -> None:
    """Without the table no card is in a group, whoever made the processor."""
    host = AnsweringHost(acpi="APIC\nUEFI\n")

    with pytest.raises(Rejected) as error:
        test_iommu.test_the_firmware_offers_an_iommu(host, HOST)
    assert error.value.cause == "iommu-off-in-firmware"


def test_switches_between_cards_keep_the_driver_of_the_host(cloud: Cloud) -> None:
    """Shared NVSwitch mode: the host's nvidia has the switches (10de:22a3), which are no GPUs; cards are given away."""
    cards = _devices("vfio-pci", "vfio-pci").answers["sriov_totalvfs"].removesuffix("end\n")
    row = ROW.format(address="0000:07:00.0", product="22a3", kind="068000", driver="nvidia", group=9, physical="-")
    host = AnsweringHost(sriov_totalvfs=f"{cards}{row}\nend\n")

    test_gpus.test_no_graphics_driver_of_the_host_holds_a_gpu(host, HOST, cloud, load_deployer("rhoso"))
    test_gpus.test_every_gpus_group_is_viable(host, HOST, cloud)

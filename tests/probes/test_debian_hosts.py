"""Hosts of Debian and Ubuntu: their boot loader has other files, their kernels other defaults."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from access.errors import ParseError
from access.host import CommandOutput
from access.local_host import LocalHost
from probes import dracut_conf, grub, initramfs_tool, kernel_cmdline, kernel_config

MENU = "menuentry 'Ubuntu' --id simple {\n linux /vmlinuz-5.15.0-91-generic root=/dev/sda1 ro intel_iommu=on\n}\n"


class HostBelow:
    """A host whose system files lie below a folder."""

    name = "compute-0"

    def __init__(self, root: Path) -> None:
        self.root = root
        self._host = LocalHost("here")

    def run(self, command: str, *, timeout_s: float = 60.0, as_root: bool = False) -> CommandOutput:
        for top in ("/etc/", "/boot/", "/usr/sbin/", "/sys/"):
            command = command.replace(top, f"{self.root}{top}")
        answer = self._host.run(command, timeout_s=timeout_s)
        return replace(answer, stdout=answer.stdout.replace(str(self.root), ""))

    def has(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)


@pytest.fixture
def host(tmp_path: Path) -> HostBelow:
    """A Debian host with an argument in a file of its own."""
    found = HostBelow(tmp_path)
    found.has("usr/sbin/grub-mkconfig", 'for x in "${sysconfdir}"/default/grub.d/*.cfg ; do\n')
    found.has("etc/default/grub", 'GRUB_CMDLINE_LINUX_DEFAULT="quiet"\n')
    found.has("etc/default/grub.d/50-maas.cfg", "# only a comment\n")
    found.has(
        "etc/default/grub.d/60-gpu.cfg", 'GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT intel_iommu=on"\n'
    )
    found.has("boot/grub/grub.cfg", MENU)
    found.has("sys/firmware/efi/fw_platform_size", "64\n")
    return found


def test_an_argument_in_a_file_of_its_own_counts(host: HostBelow):
    """Files in /etc/default/grub.d add their arguments to those of /etc/default/grub."""
    assert grub.read_defaults(host).arguments == ("quiet", "intel_iommu=on")


def test_red_hats_mkconfig_does_not_read_that_folder(host: HostBelow):
    """Where grub-mkconfig does not read grub.d, its files do not count."""
    host.has("usr/sbin/grub-mkconfig", ". ${sysconfdir}/default/grub\n")

    assert grub.read_defaults(host).arguments == ("quiet",)


def test_the_menu_is_the_same_for_both_firmwares(host: HostBelow):
    """Debian's one grub.cfg is read on BIOS and on UEFI hosts."""
    entry = grub.read_boot_entry(host)

    assert entry.source == grub.DEBIAN_CONFIG
    assert "intel_iommu=on" in entry.arguments


@pytest.mark.parametrize(
    ("option", "arguments", "is_on"),
    [
        ("CONFIG_INTEL_IOMMU_DEFAULT_ON=y", (), True),
        ("CONFIG_INTEL_IOMMU_DEFAULT_ON_INTGPU_OFF=y", ("quiet",), True),
        ("CONFIG_INTEL_IOMMU_DEFAULT_ON=y", ("intel_iommu=off",), False),
        ("CONFIG_INTEL_IOMMU_DEFAULT_ON=y", ("intel_iommu=on", "intel_iommu=off"), False),
        ("# CONFIG_INTEL_IOMMU_DEFAULT_ON is not set", (), False),
    ],
)
def test_a_kernel_may_need_no_argument(option: str, arguments: tuple[str, ...], is_on: bool):
    """Intel's IOMMU is on without an argument if the kernel's configuration says so and no argument refuses it."""
    config = kernel_config.parse(f"CONFIG_INTEL_IOMMU=y\n{option}\n")

    on = kernel_cmdline.turns_iommu_on(arguments, "intel", on_by_default=config.intel_iommu_on_by_default)

    assert on is is_on


@pytest.mark.parametrize(
    "stub",
    [
        "configfile $prefix/grub.cfg\n",
        "search --no-floppy --root-dev-only --fs-uuid --set=dev 1-2\nset prefix=($dev)/grub2\n"
        "export $prefix\nconfigfile $prefix/grub.cfg\n",
    ],
)
def test_the_file_on_the_efi_partition_may_only_point_on(stub: str, tmp_path: Path):
    """Since RHEL 9 entries are those of the common grub.cfg with either firmware."""
    host = HostBelow(tmp_path)
    host.has("boot/efi/EFI/redhat/grub.cfg", stub)
    host.has("boot/grub2/grub.cfg", MENU)
    host.has("sys/firmware/efi/fw_platform_size", "64\n")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/grub2-efi.cfg").symlink_to(tmp_path / "boot/efi/EFI/redhat/grub.cfg")

    entry = grub.read_boot_entry(host)

    assert (entry.source, entry.arguments[-1]) == ("/boot/grub2/grub.cfg", "intel_iommu=on")


@pytest.mark.parametrize(
    ("answer", "rebuild"),
    [
        ("update-initramfs\nend\n", "update-initramfs -u -k all"),
        ("update-initramfs\ndracut\nend\n", "update-initramfs -u -k all"),
        ("dracut\nend\n", "dracut -f"),
        ("end\n", "dracut -f"),
    ],
)
def test_fixes_name_the_tool_that_the_host_has(answer: str, rebuild: str):
    """Ubuntu's update-initramfs also stands before dracut where that makes its initramfs."""
    assert initramfs_tool.parse(answer).rebuild == rebuild


@pytest.mark.parametrize("answer", ["", "dracut\n", "mkinitcpio\nend\n"])
def test_a_cut_answer_names_no_tool(answer: str):
    """It is a failed measurement."""
    with pytest.raises(ParseError):
        initramfs_tool.parse(answer)


def test_files_of_dracut_count_where_dracut_is(host: HostBelow):
    """A playbook may leave them on hosts of Ubuntu, where nothing reads them."""
    host.has("etc/dracut.conf.d/gpu.conf", 'force_drivers+=" no_such_module_1 "\n')
    assert dracut_conf.read(host).wanted == ()
    host.has("bin/dracut", "#!/bin/sh\n")
    (host.root / "bin" / "dracut").chmod(0o755)

    found = dracut_conf.read(HostWithPrograms(host.root))
    assert found.missing == ("no_such_module_1",)


class HostWithPrograms(HostBelow):
    """The same host with the programs of its /bin."""

    def run(self, command: str, *, timeout_s: float = 60.0, as_root: bool = False) -> CommandOutput:
        return super().run(f"PATH={self.root}/bin:$PATH; {command}", timeout_s=timeout_s)

"""The running kernel's command line, /proc/cmdline."""

from __future__ import annotations

from dataclasses import dataclass

from probes.host import Host
from probes.reading import lines_of, read_file
from provisioning.errors import ParseError

INTEL_ON, AMD_OFF = "intel_iommu=on", "amd_iommu=off"


@dataclass(frozen=True)
class KernelCmdline:
    """Arguments in their order."""

    arguments: tuple[str, ...]

    def turns_iommu_on(self, cpu_vendor: str) -> bool:
        """Intel's IOMMU is off unless asked for, AMD's on unless refused.

        https://docs.kernel.org/admin-guide/kernel-parameters.html
        """
        return turns_iommu_on(self.arguments, cpu_vendor)


def turns_iommu_on(arguments: tuple[str, ...], cpu_vendor: str) -> bool:
    """Whether kernel arguments leave the IOMMU of a vendor's processor on; the last of two wins."""
    if "iommu=off" in arguments:
        return False
    if cpu_vendor == "amd":
        return AMD_OFF not in arguments
    return any(
        argument.startswith(INTEL_ON) for argument in [a for a in arguments if a.startswith("intel_iommu=")][-1:]
    )


def parse(text: str) -> KernelCmdline:
    """Read the content of /proc/cmdline.

    Raises:
        ParseError: empty, or more than one line.
    """
    lines = lines_of("/proc/cmdline", text)
    if len(lines) != 1:
        raise ParseError("/proc/cmdline", "more than one line", line=lines[1], line_number=2)
    return KernelCmdline(tuple(lines[0].split()))


def read(host: Host) -> KernelCmdline:
    """The command line that `host` was booted with."""
    return parse(read_file(host, "/proc/cmdline"))

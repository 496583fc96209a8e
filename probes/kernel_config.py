"""How the running kernel was configured, as far as arguments may be left out because of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from access.errors import ParseError
from access.host import Host, output_of
from access.questions import Question
from probes.reading import lines_of

COMMAND = "cat /boot/config-$(uname -r) 2>/dev/null || zcat /proc/config.gz 2>/dev/null || echo '# none'"
SETTING = re.compile(r"(CONFIG_\w{1,100})=(.{0,4000})")
IOMMU_ON = ("CONFIG_INTEL_IOMMU_DEFAULT_ON", "CONFIG_INTEL_IOMMU_DEFAULT_ON_INTGPU_OFF")
"""The second is Debian's own: on, but for the processor's graphics."""
QUESTIONS = (Question(COMMAND, as_root=True),)


@dataclass(frozen=True)
class KernelConfig:
    """Options that are set; a kernel without a readable configuration has none."""

    options: dict[str, str]

    @property
    def intel_iommu_on_by_default(self) -> bool:
        """Whether Intel's IOMMU is on without an argument."""
        return any(self.options.get(name) == "y" for name in IOMMU_ON)

    @property
    def iommufd_stands_for_vfio(self) -> bool:
        """Whether iommufd answers as /dev/vfio/vfio, so that vfio_iommu_type1 is not needed.

        https://docs.kernel.org/userspace-api/iommufd.html
        """
        return self.options.get("CONFIG_IOMMUFD_VFIO_CONTAINER") == "y"


def parse(text: str) -> KernelConfig:
    """Read a kernel's .config.

    Raises:
        ParseError: a line that is neither an option nor a comment.
    """
    options: dict[str, str] = {}
    for number, line in enumerate(lines_of("kernel config", text), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        match = SETTING.fullmatch(line)
        if match is None:
            raise ParseError("kernel config", "not an option", line=line, line_number=number)
        options[match[1]] = match[2]
    return KernelConfig(options)


def read(host: Host) -> KernelConfig:
    """Configuration of the kernel that `host` runs."""
    return parse(output_of(host, COMMAND, as_root=True).stdout)

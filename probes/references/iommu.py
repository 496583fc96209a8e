"""Kernel arguments that turn the IOMMU on: https://docs.kernel.org/admin-guide/kernel-parameters.html."""

from __future__ import annotations

IOMMU_ARGUMENTS = {"intel": "intel_iommu=on", "amd": "amd_iommu=on"}
"""By vendor of the processor. Arm's SMMU needs none, and no argument turns it off."""
INTEL_OPTIONS = frozenset({"on", "off", "igfx_off", "forcedac", "strict", "sp_off", "sm_on", "sm_off", "tboot_noforce"})
"""Of intel_iommu=, by commas; any other is ignored with 'Unknown option' in the kernel's log. Capitals count.

https://github.com/torvalds/linux/blob/master/drivers/iommu/intel/iommu.c: intel_iommu_setup
"""
PASSTHROUGH_MODE = "iommu=pt"
"""Devices of the host itself are not translated; it turns nothing on."""


def argument_of(cpu_vendor: str) -> str:
    """The argument that turns the IOMMU on; what it is called where there is none to give."""
    return IOMMU_ARGUMENTS.get(cpu_vendor, "an argument")


def recommended_arguments(cpu_vendor: str) -> str:
    """What a host with passed-through cards should boot with."""
    return f"{IOMMU_ARGUMENTS.get(cpu_vendor, '')} {PASSTHROUGH_MODE}".strip()

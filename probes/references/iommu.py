"""Kernel arguments that turn the IOMMU on: https://docs.kernel.org/admin-guide/kernel-parameters.html."""

from __future__ import annotations

IOMMU_ARGUMENTS = {"intel": "intel_iommu=on", "amd": "amd_iommu=on"}
"""By vendor of the processor."""
PASSTHROUGH_MODE = "iommu=pt"
"""Devices of the host itself are not translated; it turns nothing on."""


def recommended_arguments(cpu_vendor: str) -> str:
    """What a host with passed-through cards should boot with."""
    return f"{IOMMU_ARGUMENTS[cpu_vendor]} {PASSTHROUGH_MODE}"

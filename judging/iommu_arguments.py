"""Why the kernel's arguments do not turn the IOMMU on, by what stands there instead."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from probes.references.iommu import IOMMU_ARGUMENTS, argument_of

LIKENESS = 0.7
OFF = ("iommu=off", "intel_iommu=off", "amd_iommu=off")


def why_off(arguments: Sequence[str], vendor: str) -> tuple[str, str]:
    """Cause and finding for arguments that leave the IOMMU of a vendor's processor off."""
    wanted = argument_of(vendor)
    off = [word for word in arguments if word in OFF and word != _other(vendor, "off")]
    if off:
        beside = f" although {wanted} is there" if wanted in arguments else ""
        return "kernel-argument-turns-the-iommu-off", f"{', '.join(off)} turns the IOMMU off{beside}"
    if _other(vendor, "on") in arguments:
        what = f"{_other(vendor, 'on')} is the argument of another vendor: this host has a processor of {vendor}"
        return "kernel-argument-of-the-other-vendor", what
    near = difflib.get_close_matches(wanted, arguments, n=1, cutoff=LIKENESS)
    if near:
        return "kernel-argument-misspelt", f"{near[0]} is no argument of the kernel, {wanted} is meant"
    return "kernel-argument-missing", f"neither {wanted} nor anything like it is there"


def _other(vendor: str, value: str) -> str:
    return next(f"{name}_iommu={value}" for name in IOMMU_ARGUMENTS if name != vendor)

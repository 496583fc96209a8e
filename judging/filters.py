"""Which scheduler filters the declared instances need."""

from __future__ import annotations

import re
from collections.abc import Iterable

from cloud_file.cloud import Cloud

PCI, NUMA = "PciPassthroughFilter", "NUMATopologyFilter"
ASKS_FOR_NUMA = re.compile(
    r"hw[:_](?:numa_|cpu_policy|cpu_dedicated_mask|cpu_realtime|cpu_thread_policy|mem_page_size|emulator_threads_policy"
    r"|pci_numa_affinity_policy)|resources\d*:PCPU"
)
"""Extra specs of flavors and properties of images that give an instance a NUMA topology; without one the filter passes
every host (https://docs.openstack.org/nova/latest/admin/cpu-topologies.html)."""


def needed_filters(cloud: Cloud) -> frozenset[str]:
    """PciPassthroughFilter, and NUMATopologyFilter where a flavor or the image asks for a NUMA topology."""
    properties: Iterable[str] = cloud.image.properties if cloud.image else ()
    asked = [*properties, *(key for flavor in cloud.flavors for key in flavor.extra_specs)]
    return frozenset((PCI, NUMA) if any(ASKS_FOR_NUMA.match(key) for key in asked) else (PCI,))

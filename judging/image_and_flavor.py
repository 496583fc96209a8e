"""Whether Nova takes an image with a flavor, before any host is looked for.

Read from nova/virt/hardware.py and nova/compute/api.py; what is refused here is answered with 400.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from probes.openstack.images import ImageFacts
from probes.openstack.nova import FlavorFacts

EQUAL = {
    "hw:pci_numa_affinity_policy": "hw_pci_numa_affinity_policy",
    "hw:maxphysaddr_mode": "hw_maxphysaddr_mode",
    "hw:maxphysaddr_bits": "hw_maxphysaddr_bits",
    "hw:viommu_model": "hw_viommu_model",
    "hw:locked_memory": "hw_locked_memory",
}
"""Extra specs and properties that must say the same where both say something."""
ONE_SIDE = {"hw:numa_nodes": "hw_numa_nodes"}
"""Where the flavor says something, the image may not."""
POLICIES = ("required", "legacy", "preferred", "socket")


def too_small(flavor: FlavorFacts, image: ImageFacts) -> list[str]:
    """What the image needs and the flavor has not; a flavor without root disk is another check's."""
    found = []
    if 0 < flavor.disk_gb < image.min_disk_gb:
        found.append(
            f"{flavor.name} has {flavor.disk_gb} GB of disk, {image.name} needs {image.min_disk_gb} (min_disk)"
        )
    if flavor.ram_mb < image.min_ram_mb:
        found.append(f"{flavor.name} has {flavor.ram_mb} MB of memory, {image.name} needs {image.min_ram_mb} (min_ram)")
    return found


def contradictions(flavor: FlavorFacts, image: ImageFacts) -> list[str]:
    """Where image and flavor ask for different things, so that Nova refuses both together."""
    specs, properties = flavor.extra_specs, image.properties
    both = [(spec, specs.get(spec), name, properties.get(name)) for spec, name in {**EQUAL, **ONE_SIDE}.items()]
    found = [
        f"{flavor.name} has {spec}={ours}, {image.name} has {name}={theirs}"
        for spec, ours, name, theirs in both
        if ours and theirs and (spec in ONE_SIDE or ours.lower() != theirs.lower())
    ]
    return [*found, *_cpu_policies(flavor, image), *_page_sizes(flavor, image)]


def _cpu_policies(flavor: FlavorFacts, image: ImageFacts) -> Iterator[str]:
    ours, theirs = flavor.extra_specs.get("hw:cpu_policy"), image.properties.get("hw_cpu_policy")
    if ours in ("shared", "mixed") and theirs == "dedicated":
        yield f"{flavor.name} has hw:cpu_policy={ours}, {image.name} has hw_cpu_policy={theirs}"
    ours, theirs = flavor.extra_specs.get("hw:cpu_thread_policy"), image.properties.get("hw_cpu_thread_policy")
    if ours in ("isolate", "require") and theirs and theirs != ours:
        yield f"{flavor.name} has hw:cpu_thread_policy={ours}, {image.name} has hw_cpu_thread_policy={theirs}"


def _page_sizes(flavor: FlavorFacts, image: ImageFacts) -> Iterator[str]:
    ours, theirs = flavor.extra_specs.get("hw:mem_page_size"), image.properties.get("hw_mem_page_size")
    if theirs and ours not in ("large", "any"):
        told = f"hw:mem_page_size={ours}" if ours else "no hw:mem_page_size"
        yield f"{image.name} has hw_mem_page_size={theirs}, which {flavor.name} with {told} does not allow"


def policy_of(specs: Mapping[str, str], properties: Mapping[str, str]) -> str | None:
    """The NUMA policy of the cards that flavor or image ask for; None if neither does."""
    return specs.get("hw:pci_numa_affinity_policy") or properties.get("hw_pci_numa_affinity_policy")


def has_numa_topology(specs: Mapping[str, str], properties: Mapping[str, str]) -> bool:
    """Whether Nova gives the instance NUMA nodes: without them no NUMA policy of a card counts."""
    asked = ("numa_nodes", "mem_page_size", "cpu_realtime")
    pinned = {specs.get("hw:cpu_policy"), properties.get("hw_cpu_policy")} & {"dedicated", "mixed"}
    return bool(pinned) or any(specs.get(f"hw:{name}") or properties.get(f"hw_{name}") for name in asked)


def numa_node_count(specs: Mapping[str, str], properties: Mapping[str, str]) -> int:
    """How many NUMA nodes the instance has; 1 unless it asks for more."""
    value = specs.get("hw:numa_nodes") or properties.get("hw_numa_nodes") or "1"
    return int(value) if value.isdigit() and int(value) else 1


def required_traits(specs: Mapping[str, str], properties: Mapping[str, str]) -> dict[str, str]:
    """Traits by name that flavor or image require or forbid: required, forbidden."""
    asked = {**properties, **specs}
    return {key.partition(":")[2]: value for key, value in asked.items() if key.startswith("trait:")}

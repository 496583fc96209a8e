"""What a cloud file declares of its GPU hosts, each value with its location."""

from __future__ import annotations

from dataclasses import dataclass

from preflight.yaml_source import Node
from probes.references import NVIDIA_VENDOR_ID


@dataclass(frozen=True)
class Declared:
    """Hosts with GPUs and their cards."""

    cards: dict[tuple[str, str], Node]
    """Vendor and product id, with the entry that declares them."""
    most_cards_per_host: int
    cpu_vendors: frozenset[str]
    firmware: frozenset[str]


def read_declared(cloud: Node) -> Declared:
    """Read `hosts:` and `gpus:` of a cloud file; what is not written is left out."""
    hosts = [host for host in _entries(cloud, "hosts") if host.get("gpus")]
    counts = [
        sum(int(count.text) for gpu in _entries(host, "gpus") if (count := gpu.get("count")) and count.text.isdigit())
        for host in hosts
    ]
    return Declared(
        cards={
            (_text(gpu, "vendor_id") or NVIDIA_VENDOR_ID, _text(gpu, "product_id")): gpu
            for gpu in _entries(cloud, "gpus")
        },
        most_cards_per_host=max(counts, default=0),
        cpu_vendors=frozenset(_text(host, "cpu_vendor") for host in hosts) - {""},
        firmware=frozenset(_text(host, "firmware") for host in hosts) - {""},
    )


def _entries(node: Node, key: str) -> list[Node]:
    listed = node.get(key)
    return listed.elements() if listed else []


def _text(node: Node, key: str) -> str:
    found = node.get(key)
    return found.text if found else ""

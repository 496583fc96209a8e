"""Why no host takes an instance: one line for each host, and the cause of the one against which least speaks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from access.errors import Rejected
from judging.room import (
    CAUSES,
    CAUSES_OF_EMPTY_HOSTS,
    CardFacts,
    HostFacts,
    Kind,
    Request,
    reasons,
    require_room,
    why_none,
)
from probes.numa_nodes import NumaNode
from probes.openstack.nova import Aggregate, ComputeService
from probes.openstack.placement import Inventory

UP = ComputeService("nova-compute", "compute-0", True, True, zone="nova")


def card(number: int, node: int | None = 0, **more: Any) -> CardFacts:
    """A P100 at a bus of its own."""
    return CardFacts(f"0000:{number:02x}:00.0", "10de", "15f8", "type-PCI", node, "CUSTOM_PCI_10DE_15F8", **more)


HOST = HostFacts(
    "compute-0",
    UP,
    (),
    {
        "VCPU": Inventory(56, 0, 4.0, 8, 56),
        "MEMORY_MB": Inventory(262144, 512, 1.0, 16384, 262144),
        "DISK_GB": Inventory(1000, 0, 1.0, 40, 1000),
    },
    frozenset({"COMPUTE_NODE", "HW_CPU_X86_AVX2"}),
    (card(4, 0), card(0x84, 1)),
    0,
    (NumaNode(0, 28, 131072), NumaNode(1, 28, 131072)),
    "x86_64",
)
ALIAS = {"name": "a1", "vendor_id": "10de", "product_id": "15F8", "device_type": "type-PCI"}
ASKED = Request(
    "m1", 8, 16384, 40, {"pci_passthrough:alias": "a1:2"}, {}, (ALIAS,), ("AggregateInstanceExtraSpecsFilter",)
)


def asked(count: int = 2, image: dict[str, str] | None = None, **specs: str) -> Request:
    """A request with further extra specs; `__` stands for a colon."""
    more = {key.replace("__", ":"): value for key, value in specs.items()}
    return replace(ASKED, extra_specs={"pci_passthrough:alias": f"a1:{count}", **more}, properties=image or {})


def kinds(host: HostFacts, request: Request) -> list[Kind]:
    """Kinds of what speaks against a host."""
    return [reason.kind for reason in reasons(host, request)]


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (asked(), []),
        (asked(hw__pci_numa_affinity_policy="required"), []),  # without NUMA nodes Nova looks at no policy
        (asked(hw__pci_numa_affinity_policy="required", hw__numa_nodes="1"), [Kind.POLICY]),
        (asked(hw__pci_numa_affinity_policy="socket", hw__cpu_policy="dedicated"), [Kind.POLICY]),
        (asked(hw__numa_nodes="1"), [Kind.POLICY]),  # legacy: where the nodes are known it is as strict
        (asked(hw__pci_numa_affinity_policy="preferred", hw__numa_nodes="1"), []),
        (asked(hw__pci_numa_affinity_policy="required", hw__numa_nodes="2"), []),
        (asked(1, hw__pci_numa_affinity_policy="required", hw__numa_nodes="1"), []),
        (asked(image={"hw_pci_numa_affinity_policy": "required", "hw_numa_nodes": "1"}), [Kind.POLICY]),
        (asked(hw__numa_nodes="3"), [Kind.TOPOLOGY]),
        (asked(trait__CUSTOM_X="required"), [Kind.TRAITS]),
        (asked(trait__HW_CPU_X86_AVX2="required"), []),
        (asked(trait__HW_CPU_X86_AVX2="forbidden"), [Kind.TRAITS]),
        (asked(image={"trait:CUSTOM_X": "required"}), [Kind.TRAITS]),
        (asked(image={"hw_architecture": "aarch64"}), [Kind.ARCHITECTURE]),
        (asked(image={"img_hv_type": "vmware"}), [Kind.ARCHITECTURE]),
        (asked(image={"img_hv_type": "KVM", "hw_architecture": "x86_64"}), []),
        (asked(aggregate_instance_extra_specs__cards="p100"), [Kind.AGGREGATE]),
        (asked(aggregate_instance_extra_specs__cards="<in> p"), []),
        (asked(3), [Kind.CARDS]),
        (asked(resources__VCPU="0"), []),
        (asked(resources__CUSTOM_LICENCE="1"), []),
    ],
)
def test_what_a_request_asks_is_compared_with_an_empty_host(request_: Request, expected: list[Kind]) -> None:
    """Two cards, one on each node, everything else free."""
    assert kinds(HOST, request_) == expected


@pytest.mark.parametrize(
    ("change", "request_", "expected"),
    [
        ({"service": replace(UP, is_up=False)}, asked(), [Kind.SERVICE]),
        ({"service": replace(UP, is_enabled=False, disabled_reason="memory")}, asked(), [Kind.SERVICE]),
        ({"service": replace(UP, is_forced_down=True)}, asked(), [Kind.SERVICE]),
        ({"service": None}, asked(), []),
        ({"cards_taken": 1}, asked(), [Kind.CARDS]),
        ({"cards": (card(4, 0, is_taken=True), card(0x84, 1))}, asked(), [Kind.CARDS]),
        ({"cards": (card(4, 0, is_taken=True), card(0x84, 1)), "cards_taken": 1}, asked(1), []),
        ({"cards": (card(4, None), card(0x84, None))}, asked(hw__numa_nodes="1"), []),
        (
            {"cards": (card(4, None), card(0x84, None))},
            asked(hw__numa_nodes="1", hw__pci_numa_affinity_policy="required"),
            [Kind.POLICY],
        ),
        ({"cards": (replace(card(4), device_type="type-PF"), card(0x84, 1))}, asked(), [Kind.ALIAS]),
        ({"inventories": None, "traits": None, "nodes": None}, asked(trait__X="required", hw__numa_nodes="9"), []),
        (
            {"aggregates": (Aggregate("gpu", ("compute-0",), {"cards": "a100, p100"}),)},
            asked(aggregate_instance_extra_specs__cards="p100"),
            [],
        ),
        ({"cards": (card(4, 0, is_reserved=True), card(0x84, 1))}, asked(1), []),
        ({"cards": (card(4, 0, is_reserved=True), card(0x84, 1))}, asked(2), []),
        (
            {"cards": (card(4, 0, is_reserved=True), card(0x84, 1))},
            replace(asked(2), in_placement=True),
            [Kind.RESERVED],
        ),
        ({"cards": (card(4, 0, is_reserved=True), card(0x84, 1))}, replace(asked(1), in_placement=True), []),
    ],
)
def test_what_a_host_has_is_compared_with_a_request(
    change: dict[str, Any], request_: Request, expected: list[Kind]
) -> None:
    """What is not known never speaks against a host."""
    assert kinds(replace(HOST, **change), request_) == expected


@pytest.mark.parametrize(
    ("vcpus", "memory_mb", "specs", "expected"),
    [
        (240, 1024, {}, [Kind.SIZE]),
        (8, 250000, {}, [Kind.SIZE]),
        (60, 1024, {}, [Kind.SIZE]),  # max_unit: one instance cannot have more than there are
        (28, 1024, {"hw__numa_nodes": "1", "hw__pci_numa_affinity_policy": "preferred"}, []),
        (29, 1024, {"hw__numa_nodes": "1", "hw__pci_numa_affinity_policy": "preferred"}, [Kind.TOPOLOGY]),
        (8, 140000, {"hw__numa_nodes": "1", "hw__pci_numa_affinity_policy": "preferred"}, [Kind.TOPOLOGY]),
        (40, 1024, {"hw__numa_nodes": "2"}, []),
    ],
)
def test_sizes_are_compared_with_host_and_node(
    vcpus: int, memory_mb: int, specs: dict[str, str], expected: list[Kind]
) -> None:
    """Placement gives processors several times; a NUMA node of an instance fits one of the host."""
    assert kinds(HOST, replace(asked(**specs), vcpus=vcpus, memory_mb=memory_mb)) == expected


def test_the_cause_is_that_of_the_host_that_is_nearest() -> None:
    """One host is full and disabled, the other has both cards on different nodes: the policy has to change."""
    full = replace(HOST, name="compute-1", service=replace(UP, is_enabled=False), cards_taken=2)
    request = asked(hw__numa_nodes="1", hw__pci_numa_affinity_policy="required")

    why = why_none([full, HOST], request)

    assert why is not None
    assert why.kind is Kind.POLICY
    assert "compute-1: 0 of 2 cards free" in why.text
    assert "against it: its nova-compute is disabled" in why.text
    assert "1 on node 0 and 1 on node 1" in why.text


def test_a_host_that_takes_the_instance_ends_the_question() -> None:
    """One suffices; no known host says nothing."""
    assert why_none([replace(HOST, cards_taken=2), HOST], asked()) is None
    assert why_none([], asked()) is None


def test_empty_hosts_forget_instances_and_services_only() -> None:
    """What stays is the hosts' own."""
    busy = replace(
        HOST, service=replace(UP, is_up=False), cards=(card(4, 0, is_taken=True), card(0x84, 1)), cards_taken=1
    )

    assert kinds(busy.emptied(), asked()) == []
    assert kinds(busy.emptied(), asked(3)) == [Kind.CARDS]


def test_the_rejection_has_a_line_for_each_host() -> None:
    """The cause of a flavor that is larger than every host is another than that of full ones."""
    with pytest.raises(Rejected) as rejection:
        require_room([HOST], asked(3), CAUSES_OF_EMPTY_HOSTS, "no host")

    assert rejection.value.cause == "flavor-asks-for-more-cards-than-a-host-has"
    assert "compute-0: 2 of 2 cards free (1 on node 0, 1 on node 1), 216 of 224 VCPU" in rejection.value.what
    assert set(CAUSES) == set(Kind) == set(CAUSES_OF_EMPTY_HOSTS)


def test_cards_are_asked_for_by_class_where_placement_has_them() -> None:
    """An alias by resource class fits the cards of that class and no others."""
    alias = {"name": "a1", "resource_class": "p100", "device_type": "type-PCI"}
    of_class = replace(HOST, cards=(replace(card(4), resource_class="CUSTOM_P100"), card(0x84, 1)))
    request = replace(asked(1), aliases=(alias,), in_placement=True)

    assert kinds(of_class, request) == []
    assert kinds(of_class, replace(request, extra_specs={"pci_passthrough:alias": "a1:2"})) == [Kind.ALIAS]


def test_cards_that_others_have_took_the_memory_with_them() -> None:
    """A host whose cards are taken lacks memory, too; on one with a free card the memory is what is missing."""
    inventories = {**(HOST.inventories or {}), "MEMORY_MB": Inventory(262144, 512, 1.0, 261632, 262144)}
    full = replace(HOST, inventories=inventories, cards_taken=2)
    roomless = replace(HOST, name="compute-1", inventories=inventories)

    assert kinds(full, asked()) == [Kind.SIZE, Kind.CARDS]
    for hosts, kind in (([full], Kind.CARDS), ([full, full], Kind.CARDS), ([full, roomless], Kind.SIZE)):
        why = why_none(hosts, asked())
        assert why is not None
        assert why.kind is kind

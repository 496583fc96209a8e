"""NUMA: policies on flavor and image against where the cards really are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from judging.verdicts import require, require_agreement, require_attached, require_cards, require_refused
from probes.openstack import nova_release
from provisioning.scenario.cards import Cards
from provisioning.scenario.cloud_views import CloudViews, numa_nodes
from provisioning.scenario.scenario import Scenario
from provisioning.scenario.state import InstanceState

POLICIES = "https://docs.openstack.org/nova/latest/admin/pci-passthrough.html#pci-numa-affinity-policies"
NODES = {"hw:numa_nodes": "1"}
POLICY = "hw:pci_numa_affinity_policy"
STRICT = ("legacy", "required", "socket")
"""Policies that take cards of the instance's own node or socket only, as far as the devices tell theirs."""


@pytest.fixture
def pairs_on_a_node(views: CloudViews, cards: Cards) -> bool:
    """Whether some host has two cards on one NUMA node; two on a host are ours meanwhile."""
    cards.together(2)
    counts = Counter((host, node) for (host, _), node in _nodes(views).items())
    return max(counts.values()) > 1


def _nodes(views: CloudViews) -> Mapping[tuple[str, str], int]:
    """NUMA node of every card by host and address; without them nothing here can be judged."""
    nodes = numa_nodes(views.read())
    if not nodes:
        pytest.skip(f"not verified: {views.hidden.get('devices')}")
    known = {place: node for place, node in nodes.items() if node is not None}
    if len(known) < len(nodes):
        pytest.skip("not verified: the hosts' firmware tells no NUMA node of the cards (numa_node is -1)")
    return known


def _places(state: InstanceState) -> list[tuple[str, str]]:
    """Host and address of each device of an instance."""
    if state.attached is None:
        pytest.skip("not verified: the hypervisor is not shown, which alone tells which cards an instance has")
    return [(place.split(" ")[0], place.split(" ")[1]) for place in state.attached]


def _needs(admin: Any, policy: str) -> None:
    feature = "socket_numa_policy" if policy == "socket" else "flavor_numa_policy"
    if policy != "legacy" and not nova_release.supports(admin, feature):
        pytest.skip(f"not verified: this release of Nova has no {feature}, see {nova_release.documentation(feature)}")


@pytest.mark.parametrize("policy", ["legacy", "required", "preferred", "socket"])
@pytest.mark.check("lifecycle.numa.one_card", rests_on=("lifecycle.claim.exact",), source=POLICIES, api=True)
def test_one_card_is_on_the_node_of_its_instance(scenario: Scenario, cards: Cards, admin: Any, policy: str) -> None:
    """An instance with one NUMA node and one card gets both; with a strict policy from the same node."""
    _needs(admin, policy)
    cards.one()
    nodes = _nodes(scenario.views)
    specs = NODES if policy == "legacy" else {**NODES, POLICY: policy}
    server = scenario.server(scenario.flavor(1, extra_specs=specs))
    state = scenario.state(server)
    placed = scenario.numa_nodes(server)

    require_cards(state.gpus, 1, "at the end")
    if policy not in STRICT:
        return
    if placed is None:
        pytest.skip("not verified: this Nova does not tell the instance's NUMA node, which it does since Train")
    on = {nodes[place] for place in _places(state)}
    require(
        on == placed,
        "card-of-another-numa-node",
        f"the card is on node {on}, the instance on {placed}, the policy is {policy}",
    )


@pytest.mark.parametrize("policy", ["legacy", "required", "preferred", "socket"])
@pytest.mark.check("lifecycle.numa.two_cards", rests_on=("lifecycle.numa.one_card",), source=POLICIES, api=True)
def test_two_cards_fit_one_node_or_are_refused(
    scenario: Scenario, admin: Any, pairs_on_a_node: bool, policy: str
) -> None:
    """One NUMA node and two cards: served where a node has two, refused by strict policies where none has."""
    _needs(admin, policy)
    specs = NODES if policy == "legacy" else {**NODES, POLICY: policy}
    refusal = scenario.refusal(scenario.flavor(2, extra_specs=specs))

    if pairs_on_a_node or policy == "preferred":
        require(
            not refusal,
            "policy-refuses-what-fits",
            f"two cards under {policy} gave: {refusal}",
        )
    else:
        require_refused(
            "No valid host" in refusal,
            refusal,
            f"two cards of two nodes under {policy}",
            cause="numa-policy-not-kept",
        )


@pytest.mark.check("lifecycle.numa.two_nodes", rests_on=("lifecycle.numa.two_cards",), source=POLICIES, api=True)
def test_an_instance_over_two_nodes_takes_cards_of_both(scenario: Scenario, admin: Any, pairs_on_a_node: bool) -> None:
    """With two NUMA nodes of its own an instance may have cards of both, under the strict policy, too."""
    _needs(admin, "required")
    specs = {"hw:numa_nodes": "2", POLICY: "required"}
    state = scenario.state(scenario.server(scenario.flavor(2, extra_specs=specs)))

    require_cards(state.gpus, 2, "at the end")
    require_agreement(state.disagreements)


@pytest.mark.check("lifecycle.numa.image", rests_on=("lifecycle.numa.two_cards",), source=POLICIES, api=True)
def test_an_image_can_ask_for_the_policy(scenario: Scenario, admin: Any, pairs_on_a_node: bool) -> None:
    """The image's property counts as the flavor's does: required refuses two cards of two nodes."""
    _needs(admin, "required")
    if pairs_on_a_node:
        pytest.skip("not verified: here a node has two cards, so nothing is refused; needs cards on both sockets")
    image = scenario.empty_image(hw_pci_numa_affinity_policy="required")
    refusal = scenario.refusal(scenario.flavor(2, extra_specs=NODES), image_id=image)

    require_refused(
        "No valid host" in refusal,
        refusal,
        "two cards of two nodes, the image requires one",
        cause="numa-policy-not-kept",
    )


@pytest.mark.check("lifecycle.numa.conflict", source=POLICIES, api=True)
def test_a_conflict_between_flavor_and_image_is_refused_by_the_api(
    scenario: Scenario, cards: Cards, admin: Any
) -> None:
    """A flavor that says one policy and an image that says another are refused at once."""
    _needs(admin, "required")
    image = scenario.empty_image(hw_pci_numa_affinity_policy="preferred")
    flavor = scenario.flavor(1, extra_specs={**NODES, POLICY: "required"})
    refusal = scenario.refusal(flavor, image_id=image)

    require_refused(
        "affinity" in refusal.lower(),
        refusal,
        "a policy on the flavor and another on the image",
        cause="policy-conflict-accepted",
    )


@pytest.mark.check("lifecycle.numa.pair", rests_on=("lifecycle.claim.exact",), source=POLICIES, api=True)
def test_a_flavor_with_two_cards_gets_a_pair_of_one_node_where_there_is_one(
    scenario: Scenario, pairs_on_a_node: bool
) -> None:
    """Two cards of one node reach each other without crossing sockets: a host that has such a pair gives it."""
    policy = {} if not pairs_on_a_node else {**NODES, POLICY: "preferred"}
    state = scenario.state(scenario.server(scenario.flavor(2, extra_specs=policy)))
    nodes = _nodes(scenario.views)
    places = {nodes[place] for place in _places(state)}

    require_attached(state.attached, 2, "started")
    require(
        len(places) == 1 or not pairs_on_a_node,
        "cards-of-two-sockets",
        f"its cards are on nodes {places} although a host has two on one node",
    )

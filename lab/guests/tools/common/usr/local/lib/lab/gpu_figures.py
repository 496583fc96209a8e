"""What a card can do, from its model, link and place: the figures behind every tool's answer."""

import random
import time

LINK_GB_PER_S = {1: 0.25, 2: 0.5, 3: 0.985, 4: 1.969, 5: 3.938}
"""Payload of one lane, by PCI Express generation."""
NOISE = 0.004


def _noise(card, what):
    source = random.Random(f"{card['uuid']} {what} {time.time_ns()}")
    return 1 + source.gauss(0, NOISE * card.get("noise", 1.0))


def _link_share(card):
    """How much of its model's link a card has now."""
    link, best = card["link"], card["max_link"]
    return LINK_GB_PER_S[link["generation"]] * link["width"] / (LINK_GB_PER_S[best["generation"]] * best["width"])


def _throttle(card):
    return card.get("clock_share", 1.0)


def host_to_device(card):
    """Pinned H2D bandwidth in GB/s."""
    return card["h2d_gb_per_s"] * _link_share(card) * card.get("h2d_share", 1.0) * _noise(card, "h2d")


def device_to_host(card):
    """Pinned D2H bandwidth in GB/s."""
    return card["d2h_gb_per_s"] * _link_share(card) * card.get("d2h_share", 1.0) * _noise(card, "d2h")


def device_to_device(card):
    """D2D bandwidth in GB/s, reads and writes counted."""
    return card["d2d_gb_per_s"] * _throttle(card) * card.get("d2d_share", 1.0) * _noise(card, "d2d")


def has_peer_access(machine, one, other):
    """Peers reach each other below one root complex; a virtual machine must expose it."""
    same_socket = one.get("host_numa_node", one["numa_node"]) == other.get("host_numa_node", other["numa_node"])
    return same_socket and (machine["kind"] != "guest" or bool(machine.get("p2p_exposed")))


def peer_bandwidth(machine, one, other, bidirectional, enabled):
    """Bandwidth between two cards in GB/s."""
    if one is other:
        return one["d2d_gb_per_s"] * 1.04 * _throttle(one) * _noise(one, "self")
    slower = min(one["h2d_gb_per_s"] * _link_share(one), other["h2d_gb_per_s"] * _link_share(other))
    if enabled and has_peer_access(machine, one, other):
        return slower * (2.1 if bidirectional else 1.1) * _noise(one, other["uuid"])
    return slower * (0.89 if bidirectional else 0.86) * _noise(one, other["uuid"])


def peer_latency(machine, one, other, enabled):
    """Latency between two cards in microseconds."""
    if one is other:
        return 1.84 * _noise(one, "self latency")
    if enabled and has_peer_access(machine, one, other):
        return 1.36 * _noise(one, "peer latency")
    return 11.9 * (1 + (_noise(one, "latency") - 1) * 6)


def cpu_latency(one, other, enabled):
    """CPU side of the latency matrix in microseconds."""
    return (2.62 if one is other else 6.2) * _noise(one, "cpu latency")

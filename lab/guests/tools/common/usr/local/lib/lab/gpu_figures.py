"""What a card can do, from its model, link and place: the figures behind every tool's answer.

State that it reads beside gpu_state's: `noise` (a factor), `outlier` (share that the first sample after a boot
reaches), `switch_share` (share that copies keep while another card copies), `link_flaps` (share that every second copy
over the link reaches), and of the machine `cpu_numa_node` (the socket that its processors and memory are on),
`p2p_exposed`, `acs_redirect`.
"""

import os
import random
import time

import gpu_state

LINK_GB_PER_S = {1: 0.25, 2: 0.5, 3: 0.985, 4: 1.969, 5: 3.938}
"""Payload of one lane, by PCI Express generation."""
NOISE = 0.004
ACROSS_SOCKETS = {"h2d": 0.86, "d2h": 0.78}
"""Share left when the copy crosses to the other socket's memory."""
PAGEABLE = 0.55
"""Share of the pinned bandwidth when the driver must copy through a buffer of its own."""
HALF_SIZE = {"h2d": 30e3, "d2h": 30e3, "d2d": 1.5e6}
"""Bytes at which a copy reaches half its final bandwidth."""


def _noise(card, what):
    source = random.Random(f"{card['uuid']} {what} {time.time_ns()}")
    return (1 + source.gauss(0, NOISE * card.get("noise", 1.0))) * _outlier(card, what) * _flap(card, what)


def _flap(card, what):
    if "link_flaps" not in card or what not in ("h2d", "d2h"):
        return 1.0
    with open(f"/dev/shm/copies-{card['uuid']}-{what}", "a+b") as counter:
        counter.write(b".")
        counter.flush()
        return card["link_flaps"] if counter.tell() % 2 else 1.0


def _outlier(card, what):
    if "outlier" not in card or what not in ("h2d", "d2h", "d2d"):
        return 1.0
    try:
        os.close(os.open(f"/dev/shm/measured-{card['uuid']}-{what}", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return 1.0
    return card["outlier"]


def _link_share(card):
    """How much of its model's link a card has under load."""
    link, best = card["link"], card["max_link"]
    return LINK_GB_PER_S[link["generation"]] * link["width"] / (LINK_GB_PER_S[best["generation"]] * best["width"])


def _node(card):
    return card.get("host_numa_node", card["numa_node"])


def _place_share(card, machine, way):
    across = machine.get("cpu_numa_node") not in (None, _node(card))
    return ACROSS_SOCKETS[way] if across else 1.0


def _size_share(way, size):
    return 1.0 if size is None else size / (size + HALF_SIZE[way])


def host_to_device(card, machine, pinned=True, size=None):
    """H2D bandwidth in GB/s of copies of `size` bytes."""
    share = _link_share(card) * _place_share(card, machine, "h2d") * (1 if pinned else PAGEABLE)
    return card["h2d_gb_per_s"] * share * card.get("h2d_share", 1.0) * _size_share("h2d", size) * _noise(card, "h2d")


def device_to_host(card, machine, pinned=True, size=None):
    """D2H bandwidth in GB/s of copies of `size` bytes."""
    share = _link_share(card) * _place_share(card, machine, "d2h") * (1 if pinned else PAGEABLE)
    return card["d2h_gb_per_s"] * share * card.get("d2h_share", 1.0) * _size_share("d2h", size) * _noise(card, "d2h")


def device_to_device(card, machine, pinned=True, size=None):
    """D2D bandwidth in GB/s, reads and writes counted."""
    share = gpu_state.clock_share(card) * card.get("d2d_share", 1.0) * _size_share("d2d", size)
    return card["d2d_gb_per_s"] * share * _noise(card, "d2d")


def share_of_switch(card, copying):
    """What a card keeps of its copies while so many copy: with `switch_share` the switch above it fails."""
    return card.get("switch_share", 1.0) if copying > 1 else 1.0


def has_peer_access(machine, one, other):
    """Peers reach each other below one root complex; a virtual machine must expose it."""
    return _node(one) == _node(other) and (machine["kind"] != "guest" or bool(machine.get("p2p_exposed")))


def peer_bandwidth(machine, one, other, bidirectional, enabled):
    """Bandwidth between two cards in GB/s."""
    if one is other:
        return one["d2d_gb_per_s"] * 1.04 * gpu_state.clock_share(one) * _noise(one, "self")
    slower = min(one["h2d_gb_per_s"] * _link_share(one), other["h2d_gb_per_s"] * _link_share(other))
    if enabled and has_peer_access(machine, one, other):
        through_root = 0.6 if machine.get("acs_redirect") else 1.0
        return slower * (2.1 if bidirectional else 1.1) * through_root * _noise(one, other["uuid"])
    return slower * (0.89 if bidirectional else 0.86) * _noise(one, other["uuid"])


def peer_copies_arrive(machine):
    """Whether what a card writes to its peer arrives: redirected to an IOMMU without that mapping it does not."""
    return not machine.get("acs_redirect")


def peer_latency(machine, one, other, enabled, reads=False):
    """Latency between two cards in microseconds."""
    if one is other:
        return 1.84 * _noise(one, "self latency")
    if enabled and has_peer_access(machine, one, other):
        return (7.8 if reads else 1.36) * _noise(one, "peer latency")  # a read waits for the answer, a write does not
    return 11.9 * (1 + (_noise(one, "latency") - 1) * 6)


def cpu_latency(machine, one, other, enabled):
    """CPU side of the latency matrix in microseconds."""
    if one is not other and enabled and has_peer_access(machine, one, other):
        return 2.05 * _noise(one, "cpu peer latency")
    return (2.62 if one is other else 6.2) * _noise(one, "cpu latency")


def compute_gflop_per_s(card):
    """Single precision matrix multiplication under load."""
    peak = 2 * card["sms"] * card["cores_per_sm"] * card["clock_mhz"] / 1000
    return peak * 0.93 * gpu_state.clock_share(card) * _noise(card, "compute")

"""Which physical card is meant: what cannot be told for certain is not told, for the wrong card would be exchanged."""

from __future__ import annotations

import random

import pytest

from access.errors import ParseError
from probes import pci_slots
from probes.card_identity import CardIdentity, named_in, of_instance, of_machine
from probes.host_inventory import InventoryCard
from probes.libvirt_domains import HostDevice, parse
from probes.pci_address import PciAddress

UUID = "6f2c1a00-0000-4000-8000-000000000001"


def inside(*addresses: str) -> list[InventoryCard]:
    """Cards as the instance's driver lists them."""
    return [
        InventoryCard(str(number), "NVIDIA H100", f"GPU-{address}", f"0321{number}", f"0000{address}", "96.00")
        for number, address in enumerate(addresses)
    ]


def device(host: str, guest: str | None) -> HostDevice:
    """A device of the domain."""
    return HostDevice(PciAddress(host), PciAddress(guest) if guest else None)


def places(cards: list[InventoryCard], *devices: HostDevice) -> list[str]:
    """Address in the server, in the order of the instance's devices."""
    return [card.host_address for card in of_instance("g", cards, "compute-7", devices, {})]


def test_a_card_stands_where_the_domain_says() -> None:
    """By its address in the instance, whatever the order of the definition."""
    devices = [device("0000:84:00.0", "0000:00:06.0"), device("0000:04:00.0", "0000:00:05.0")]

    assert places(inside("0000:00:05.0", "0000:00:06.0"), *devices) == ["0000:04:00.0", "0000:84:00.0"]


def test_other_bus_numbers_keep_the_order_of_the_bus() -> None:
    """Firmware numbers buses itself: libvirt's 05 and 06 may be the instance's 01 and 02."""
    devices = [device("0000:84:00.0", "0000:06:00.0"), device("0000:04:00.0", "0000:05:00.0")]

    assert places(inside("0000:01:00.0", "0000:02:00.0"), *devices) == ["0000:04:00.0", "0000:84:00.0"]


@pytest.mark.parametrize(
    "devices",
    [
        [],
        [device("0000:04:00.0", "0000:05:00.0")],
        [device("0000:04:00.0", None), device("0000:84:00.0", None)],
        [device("0000:04:00.0", "0000:05:00.0"), device("0000:84:00.0", None)],
        [device(f"0000:{bus:02x}:00.0", None) for bus in (4, 5, 6)],
    ],
    ids=["none", "fewer", "no addresses", "one without", "more"],
)
def test_what_cannot_be_told_is_unknown(devices: list[HostDevice]) -> None:
    """Rather no place than a wrong one."""
    assert places(inside("0000:01:00.0", "0000:02:00.0"), *devices) == ["", ""]


def test_a_single_card_needs_no_address() -> None:
    """There is only one that it can be."""
    assert places(inside("0000:01:00.0"), device("0000:84:00.0", None)) == ["0000:84:00.0"]


def test_devices_are_numbered_by_the_bus() -> None:
    """As CUDA counts them with CUDA_DEVICE_ORDER=PCI_BUS_ID, whatever the driver's order is."""
    cards = of_machine("node", inside("0000:84:00.0", "0000:04:00.0"), {PciAddress("0000:84:00.0"): "6"})

    assert [(card.device, card.host_address, card.slot) for card in cards] == [
        ("0", "0000:04:00.0", ""),
        ("1", "0000:84:00.0", "6"),
    ]


@pytest.mark.parametrize("serial", ["[N/A]", "N/A", "[Not Supported]", "0"])
def test_a_serial_that_is_none_is_empty(serial: str) -> None:
    """What the driver prints instead of one."""
    (card,) = of_machine("node", [InventoryCard("0", "T4", "GPU-1", serial, "00000000:04:00.0", "90")], {})

    assert card.serial == ""


CARDS = (
    CardIdentity("compute-7", "0000:04:00.0", "2", "g", "0000:00:05.0", "0", "GPU-aa", "03210001"),
    CardIdentity("compute-7", "0000:84:00.0", "6", "g", "0000:00:06.0", "1", "GPU-bb", "03210002"),
    CardIdentity("compute-7", "0001:84:00.0", "8", "g", "0000:00:16.0", "11", "GPU-cc", "03210003"),
)


@pytest.mark.parametrize(
    ("text", "devices"),
    [
        ("device 0 h2d: 5.1 GB/s", "0"),
        ("device 1: 3 wrong elements; device 11: 4", "1 11"),
        ("GPU 1 d2d: slow", "1"),
        ("device 0-1 over p2p_same_root", "0 1"),
        ("Xid (PCI:0000:84:00): 79, GPU has fallen off the bus", "1"),
        ("0001:84:00.0 has no driver", "11"),
        ("pages of 0000:00:05.0 wait for a reset", "0"),
        ("00000000:00:06.0: ERR!", "1"),
        ("GPU-cc is not there", "11"),
        ("serial 03210002", "1"),
        ("nothing is said of a card", "0 1 11"),
    ],
)
def test_a_finding_is_of_the_cards_that_it_names(text: str, devices: str) -> None:
    """Of all where it names none."""
    assert " ".join(card.device for card in named_in(text, CARDS)) == devices


def test_a_card_is_shown_with_its_way() -> None:
    """What somebody in front of the rack needs."""
    assert CARDS[1].shown == (
        "GPU 1 of g (0000:00:06.0), in compute-7 at 0000:84:00.0, slot 6, serial 03210002, GPU-bb"
    )
    assert CardIdentity("compute-7", "0000:84:00.0").shown == "GPU in compute-7 at 0000:84:00.0"
    assert CardIdentity("node", "0000:84:00.0", instance="node", device="0").shown == "GPU 0 of node at 0000:84:00.0"


XML = """<domain type='kvm'><uuid>{uuid}</uuid><devices>
<hostdev mode='subsystem' type='pci' managed='yes'><driver name='vfio'/>
<source><address domain='0x0000' bus='0x84' slot='0x00' function='0x0'/></source><alias name='hostdev0'/>
<address type='pci' domain='0x0000' bus='0x06' slot='0x00' function='0x0'/></hostdev>
<hostdev mode='subsystem' type='pci' managed='yes'>
<source><address domain='0x0001' bus='0x04' slot='0x00' function='0x0'/></source></hostdev>
<hostdev mode='subsystem' type='usb'><source/></hostdev></devices></domain>"""


def test_a_domain_tells_both_addresses() -> None:
    """The one of the server and, once it is decided, the one of the instance."""
    (domain,) = parse(f"=== {UUID} running\n{XML.format(uuid=UUID)}\n=== end\n")

    assert domain.devices == (device("0000:84:00.0", "0000:06:00.0"), device("0001:04:00.0", None))
    assert domain.addresses == ("0000:84:00.0", "0001:04:00.0")


SLOTS = """slot 0000:3a:00 5
slot 0000:84:00 CPU2 SLOT6
path /sys/devices/pci0000:39/0000:39:00.0/0000:3a:00.0/0000:3b:08.0/0000:3c:00.0
path /sys/devices/pci0000:80/0000:80:02.0/0000:84:00.0
path /sys/devices/pci0000:00/0000:00:02.0
end
"""


def test_a_slot_holds_the_card_or_the_bridge_above_it() -> None:
    """A board with a switch of its own stands in the slot as a whole; a device on the board has none."""
    assert pci_slots.parse(SLOTS) == {"0000:3c:00.0": "5", "0000:84:00.0": "CPU2 SLOT6"}


def test_a_server_without_named_slots_has_none() -> None:
    """Many firmwares name none."""
    assert pci_slots.parse("end\n") == {}


def test_damaged_answers_are_refused() -> None:
    """Cut off anywhere but at its end, or with a line of another kind."""
    chance = random.Random(3)  # noqa: S311  # the same cuts each time
    for cut in sorted(chance.sample(range(1, len(SLOTS) - 4), 40)):
        with pytest.raises(ParseError):
            pci_slots.parse(SLOTS[:cut])
    with pytest.raises(ParseError):
        pci_slots.parse("bash: syntax error\nend\n")

"""What Nova offers against what a host has."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from access.errors import Blocked
from judging.offers import Offers, claims_of_nobody, given_cards, providers_against_devices, rows_against_devices
from probes.openstack.pci_claims import COLUMNS, PciClaim, parse
from probes.openstack.placement import DeviceProvider, Inventory
from probes.pci_address import PciAddress
from probes.pci_devices import PciDevice

CARD = PciDevice(PciAddress("0000:04:00.0"), "10de", "15f8", "030200", None, 1, 0, None)
OTHER = replace(CARD, address=PciAddress("0000:84:00.0"), numa_node=1)
DISPLAY = replace(CARD, address=PciAddress("0000:02:00.0"), product_id="1eb8")
FUNCTION = replace(CARD, address=PciAddress("0000:04:00.4"), physical_function=CARD.address)
DISK = PciDevice(PciAddress("0000:00:1f.2"), "8086", "8d02", "010601", "ahci", 2, 0, None)
DEVICES = (CARD, OTHER, DISPLAY, DISK)
SPECS: list[dict[str, Any]] = [{"vendor_id": "10de", "product_id": "15f8"}]
ROW = PciClaim("compute-0", CARD.address, "available", None, "10de", "15f8", 0, "type-PCI")
ROWS = (ROW, replace(ROW, address=OTHER.address, status="allocated", instance_id="i1", numa_node=1))
GIVEN = (CARD, OTHER)


def test_only_cards_that_device_spec_gives_are_expected() -> None:
    """A card for the host's own display is nobody's business."""
    assert given_cards(SPECS, DEVICES) == GIVEN
    assert list(rows_against_devices("compute-0", ROWS, DEVICES, GIVEN)) == []


def test_an_entry_that_nova_refuses_blocks_the_comparison() -> None:
    """Another check says what is wrong with it."""
    with pytest.raises(Blocked, match=r"control_plane\.device_spec\.valid"):
        given_cards([{"vendor_id": "0x10dez"}], DEVICES)


@pytest.mark.parametrize(
    ("rows", "causes"),
    [
        (ROWS[1:], ["gpu-not-offered"]),
        ((), ["gpu-not-offered"]),
        ((*ROWS, replace(ROW, address=PciAddress("0001:04:00.0"))), ["stale-row"]),
        ((replace(ROW, product_id="1db4"), ROWS[1]), ["row-of-another-card"]),
        ((replace(ROW, device_type="type-PF"), ROWS[1]), ["row-of-another-card"]),
        ((replace(ROW, numa_node=1), ROWS[1]), ["row-of-another-card"]),
        ((replace(ROW, numa_node=None), ROWS[1]), []),
        ((replace(ROW, product_id="15F8"), ROWS[1]), []),
        ((replace(ROW, status="unavailable"), ROWS[1]), []),
        ((replace(ROW, status="removed"), ROWS[1]), ["gpu-not-offered"]),
        ((*ROWS, replace(ROW, address=DISK.address, vendor_id="8086", product_id="8d02")), []),
        ((*ROWS, replace(ROW, host="compute-1", address=PciAddress("0001:04:00.0"))), []),
    ],
)
def test_rows_are_compared_with_the_devices(rows: tuple[PciClaim, ...], causes: list[str]) -> None:
    """Missing, stale, of another card; what is not known and what is of another host is not judged."""
    assert [item.cause for item in rows_against_devices("compute-0", rows, DEVICES, GIVEN)] == causes


def test_a_host_of_another_name_is_told_with_the_names_that_there_are() -> None:
    """Nova has the host under its old name."""
    rows = tuple(replace(row, host="compute-old") for row in ROWS)

    (found,) = rows_against_devices("compute-0", rows, DEVICES, GIVEN)

    assert "no row of compute-0 at all, but of compute-old" in found.what


def test_a_claim_of_an_instance_that_does_not_exist_is_seen() -> None:
    """A card that nobody gets again."""
    assert list(claims_of_nobody("compute-0", Offers(ROWS, frozenset({"i1"}), ""))) == []
    found = list(claims_of_nobody("compute-0", Offers(ROWS, frozenset(), "")))
    assert [item.cause for item in found] == ["card-stays-claimed"]
    assert list(claims_of_nobody("compute-1", Offers(ROWS, frozenset(), ""))) == []


def provider(address: str, name: str, total: int = 1, *traits: str) -> DeviceProvider:
    """A device in Placement."""
    return DeviceProvider(address, {name: Inventory(total, 0, 1.0, 0)}, frozenset(traits))


IDS = "CUSTOM_PCI_10DE_15F8"
BOTH = (provider("0000:04:00.0", IDS), provider("0000:84:00.0", IDS))


@pytest.mark.parametrize(
    ("providers", "specs", "devices", "reports", "causes"),
    [
        (BOTH, SPECS, DEVICES, True, []),
        ((), SPECS, DEVICES, False, []),
        (BOTH[:1], SPECS, DEVICES, True, ["card-not-in-placement"]),
        (BOTH, [{**SPECS[0], "resource_class": "p100"}], DEVICES, True, ["card-of-another-class"] * 2),
        (
            (provider("0000:04:00.0", "CUSTOM_P100"), provider("0000:84:00.0", "CUSTOM_P100")),
            [{**SPECS[0], "resource_class": "p100"}],
            DEVICES,
            True,
            [],
        ),
        (BOTH, [{**SPECS[0], "traits": "big"}], DEVICES, True, ["card-of-another-class"] * 2),
        ((*BOTH, provider("0000:02:00.0", "CUSTOM_X")), SPECS, DEVICES, True, ["placement-counts-other-cards"]),
        ((*BOTH, provider("0000:99:00.0", IDS)), SPECS, DEVICES, True, ["placement-counts-other-cards"]),
        ((*BOTH, provider("0000:99:00.0", IDS, 0)), SPECS, DEVICES, True, []),
        ((), [{**SPECS[0], "physical_network": "x"}], DEVICES, True, []),
        ((provider("0000:04:00.0", IDS, 1),), [{"address": "0000:04:00.4"}], (CARD, FUNCTION), True, []),
    ],
)
def test_providers_are_compared_with_the_cards_that_are_reported(
    providers: tuple[DeviceProvider, ...],
    specs: list[dict[str, Any]],
    devices: tuple[PciDevice, ...],
    reports: bool,
    causes: list[str],
) -> None:
    """By address, class and traits, whatever the class is called."""
    found = providers_against_devices(providers, specs, devices, reports)

    assert [item.cause for item in found] == causes


def test_the_table_is_read_with_the_kind_of_each_device() -> None:
    """mysql's batch output, NULL as a word."""
    rows = ["compute-0.localdomain", "0000:04:00.0", "available", "NULL", "10de", "15f8", "NULL", "type-PF"]

    (claim,) = parse("\t".join(COLUMNS) + "\n" + "\t".join(rows) + "\n")

    assert claim == PciClaim("compute-0", CARD.address, "available", None, "10de", "15f8", None, "type-PF")

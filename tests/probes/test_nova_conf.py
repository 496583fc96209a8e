"""What oslo.config makes of odd lines (tried on oslo.config 10.7), and what Nova takes by an address."""

from __future__ import annotations

import pytest

from access.errors import ParseError
from probes import nova_conf
from probes.nova_device_spec import takes
from probes.pci_address import PciAddress

CARD = PciAddress("0000:04:00.0")


@pytest.mark.parametrize(
    ("text", "aliases"),
    [
        ('[PCI]\nalias = {"a": 1}\n', [{"a": 1}]),
        ('[pci]\nalias={"n":1}\n[DEFAULT]\npci_alias={"o":1}\npci_alias={"o":2}\n', [{"o": 1}, {"o": 2}, {"n": 1}]),
        ('[pci]\nalias={"a":1}\n[PCI]\nalias={"a":2}\n', [{"a": 1}, {"a": 2}]),
        ("[pci]\nalias='{\"a\": 1}'\n", [{"a": 1}]),
        ('[pci]\nalias = {"a":\n  1}\n', [{"a": 1}]),
        ('[pci]\nalias = {"a": "$$x$"}\n', [{"a": "$x$"}]),
        ('[DEFAULT]\nx = y\n[pci]\nalias = {"a": "$x"}\n', [{"a": "y"}]),
        ('[default]\npci_alias={"a":1}\n', []),
        ('[pci]\nAlias={"a":1}\n', []),
        ('[pci ]\nalias={"a":1}\n', []),
    ],
)
def test_aliases(text: str, aliases: list[dict[str, object]]):
    """Aliases are read as Nova reads them, from either option and in either form."""
    assert list(nova_conf.parse(text).aliases) == aliases


@pytest.mark.parametrize(
    ("text", "filters"),
    [
        ("[filter_scheduler]\nenabled_filters=A,B\nenabled_filters=C\n", ("C",)),
        ("[filter_scheduler]\nenabled_filters=A,\n B ,C\n", ("A", "B", "C")),
        ("[filter_scheduler]\nenabled_filters=\n", ()),
        ("[filter_scheduler]\nenabled_filters=A\n[DEFAULT]\nscheduler_default_filters=B\n", ("A",)),
        ("[DEFAULT]\nscheduler_default_filters=nova.scheduler.filters.x.B\n", ("B",)),
        ("[filter_scheduler]\nother=A\n", None),
    ],
)
def test_filters(text: str, filters: tuple[str, ...] | None):
    """The filters that the scheduler uses come from the option that takes precedence."""
    assert nova_conf.parse(text).filters == filters


@pytest.mark.parametrize(
    "text",
    [
        "[pci]\n alias=x\n",
        "[pci]\nalias=x\n\n y\n",
        "[pci]\nalias=x\n# c\n y\n",
        "[pci]\nalias\n",
        "[pci] # c\nx=y\n",
        "[]\nx=y\n",
        "alias=x\n",
        "[pci]\n=x\n",
        "\ufeff[pci]\nx=y\n",
        '[pci]\nalias=[{"a":1}]\n',
        "[pci]\nalias=\n",
        "[pci]\nalias=3\n",
        '[pci]\nalias={"a": "$unknown"}\n',
        "[pci]\nalias=" + "[" * 100_000 + "\n",
    ],
)
def test_refused(text: str):
    """What oslo.config or Nova would refuse is a ParseError."""
    with pytest.raises(ParseError):
        nova_conf.parse(text)


@pytest.mark.parametrize(
    ("spec", "is_taken"),
    [
        ({}, True),
        ({"vendor_id": "10de", "product_id": "15f8"}, True),
        ({"vendor_id": "10DE", "product_id": "0x15F8"}, True),
        ({"vendor_id": "*", "product_id": "15f9"}, False),
        ({"address": "0000:04:00.0"}, True),
        ({"address": "*:04:00.*"}, True),
        ({"address": ":04:00."}, True),
        ({"address": "04:00"}, True),
        ({"address": "0000:04:00.1"}, False),
        ({"address": {"domain": ".*", "bus": "0[3-5]", "slot": "00", "function": "[0-1]"}}, True),
        ({"address": {"bus": "0[5-9]"}}, False),
        ({"address": "0000:04:00.0", "managed": "no", "traits": "A,B", "physical_network": "x"}, True),
    ],
)
def test_device_spec(spec: dict[str, object], is_taken: bool):
    """A device specification takes the card exactly if Nova would: by ids, by glob or by regular expression."""
    assert takes(spec, CARD, "10de", "15f8") is is_taken


@pytest.mark.parametrize(
    "spec",
    [
        {"vendor_id": "nvidia"},
        {"vendor_id": "110de"},
        {"address": "0:0000:04:00.0"},
        {"address": "0000:04:00.9"},
        {"address": {"slots": "00"}},
        {"address": {"bus": "("}},
        {"address": {"bus": "a" * 100}},
        {"address": 4},
    ],
)
def test_device_spec_that_nova_refuses(spec: dict[str, object]):
    """A device specification that Nova refuses is a ParseError."""
    with pytest.raises(ParseError):
        takes(spec, CARD, "10de", "15f8")

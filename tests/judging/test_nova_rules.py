"""Aliases and device specs are judged as Nova judges them: the lab's own Nova is asked the same."""

from __future__ import annotations

import itertools
import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from judging import nova_aliases, nova_device_specs
from judging.nova_aliases import refusals
from lab.paths import LabPaths
from probes.openstack.nova_release import ANY_VERSION, Versions, versions_named, versions_of
from probes.pci_address import PciAddress
from probes.pci_devices import PciDevice

NOW = Versions(34, 34)
BASE = {"name": "a1", "vendor_id": "10de", "product_id": "15f8", "device_type": "type-PCI"}
CHANGES: tuple[dict[str, Any], ...] = (
    {},
    {"name": " a1 "},
    {"name": "a2"},
    {"name": ""},
    {"name": 1},
    {"numa_policy": "required"},
    {"numa_policy": "socket"},
    {"numa_policy": "legacy"},
    {"numa_policy": "strict"},
    {"device_type": "type-PF"},
    {"device_type": "PF"},
    {"device_type": None},
    {"product_id": "15F8"},
    {"product_id": "0x15f8"},
    {"product_id": 1528},
    {"product_id": None},
    {"vendor_id": None, "product_id": None, "resource_class": "CUSTOM_P100"},
    {"resource_class": "P100", "traits": "a,b"},
    {"resource_class": ["P100"]},
    {"live_migratable": "yes"},
    {"live_migratable": "perhaps"},
    {"live_migratable": True},
    {"dev_type": "type-PCI"},
    {"capability_type": "pci"},
    {"managed": "yes"},
)
SPEC = {"vendor_id": "10de", "product_id": "15f8"}
SPECS: tuple[dict[str, Any], ...] = (
    {},
    {"vendor_id": " 10de "},
    {"vendor_id": 4318},
    {"product_id": 15},
    {"product_id": "15F8"},
    {"product_id": "0x15f8"},
    {"product_id": "15f8z"},
    {"product_id": "115f8"},
    {"product_id": "*"},
    {"address": "0000:04:00.0"},
    {"address": "*:04:00.*"},
    {"address": "04:00"},
    {"address": ":04:"},
    {"address": "1:2:3:4.0"},
    {"address": "0000:04:2f.0"},
    {"address": "0000:04:00.9"},
    {"address": {"domain": ".*", "bus": "0[4-8]", "slot": ".*", "function": "0"}},
    {"address": {"bus": "("}},
    {"address": ["0000:04:00.0"]},
    {"address": "0000:04:00.0", "devname": "eth0"},
    {"managed": "yes"},
    {"managed": "No"},
    {"managed": "by libvirt"},
    {"live_migratable": "on"},
    {"live_migratable": "maybe"},
    {"one_time_use": "true"},
    {"one_time_use": "no"},
    {"one_time_use": "sometimes"},
    {"physical_network": "physnet0"},
    {"resource_class": "P100", "traits": "big"},
    {"productid": "15f8"},
)


def _made(change: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in {**base, **change}.items() if value is not None}


def _alias_cases() -> list[dict[str, Any]]:
    alone = [[_made(change, BASE)] for change in CHANGES]
    pairs = [[_made(one, BASE), _made(other, BASE)] for one, other in itertools.product(CHANGES, repeat=2)]
    chance = random.Random(1)  # noqa: S311  the same cases every time
    more = [[_made(chance.choice(CHANGES), BASE) for _ in range(3)] for _ in range(100)]
    return [{"aliases": aliases, "in_placement": on} for aliases in (*alone, *pairs, *more) for on in (False, True)]


def _spec_cases() -> list[dict[str, Any]]:
    return [{"specs": [_made(change, SPEC)], "reports": on} for change in SPECS for on in (False, True)]


@pytest.fixture(scope="module")
def real() -> Any:
    """What the lab's Nova says of each case."""
    cases = [*_alias_cases(), *_spec_cases()]
    python = LabPaths.of("default").openstack_env / "bin/python"
    program = Path(__file__).with_name("real_nova.py")
    done = subprocess.run(
        [python, program], input=json.dumps(cases), capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(zip(map(json.dumps, cases), json.loads(done.stdout.splitlines()[-1]), strict=True))


def test_aliases_are_refused_exactly_where_nova_refuses_them(real: dict[str, str]) -> None:
    """Some 1400 lists of aliases, with and without pci_in_placement."""
    wrong = {}
    for case in _alias_cases():
        ours = refusals(case["aliases"], NOW, in_placement=case["in_placement"])
        if bool(ours) != bool(real[json.dumps(case)]):
            wrong[json.dumps(case)] = (real[json.dumps(case)], [item.what for item in ours])

    assert wrong == {}


def test_device_specs_are_refused_exactly_where_nova_refuses_them(real: dict[str, str]) -> None:
    """Entries by id, address, expression, name, and with every tag; what needs devices Nova tells later."""
    later = "devname-in-device-spec"
    wrong = {}
    for case in _spec_cases():
        found = nova_device_specs.findings(case["specs"], (), NOW, reports=case["reports"])
        ours = [item for item in found if item.cause != later and "unknown-key" not in item.cause]
        if bool(ours) != bool(real[json.dumps(case)]):
            wrong[json.dumps(case)] = (real[json.dumps(case)], [item.what for item in ours])

    assert wrong == {}


def test_a_mismatch_is_told_in_novas_words() -> None:
    """People search for Nova's words."""
    first, second = BASE, {**BASE, "numa_policy": "required"}

    assert [item.wording for item in refusals([first, second], NOW, in_placement=False)] == ["policies"]
    assert "NUMA policy mismatch for alias 'a1'" in refusals([first, second], NOW, in_placement=False)[0].what


@pytest.mark.parametrize(
    ("alias", "release", "refused"),
    [
        ({**BASE, "numa_policy": "required"}, "pike", True),
        ({**BASE, "numa_policy": "required"}, "queens", False),
        ({**BASE, "numa_policy": "socket"}, "victoria", True),
        ({**BASE, "numa_policy": "socket"}, "wallaby", False),
        ({**BASE, "resource_class": "CUSTOM_X"}, "zed", True),
        ({**BASE, "resource_class": "CUSTOM_X"}, "2023.1", False),
        ({**BASE, "live_migratable": "no"}, "2024.2", True),
        ({**BASE, "live_migratable": "no"}, "2025.1", False),
        ({"name": "a1", "vendor_id": "10de"}, "train", False),
        ({"name": "a1", "vendor_id": "10de"}, "2025.2", True),
        ({"name": "a1", "vendor_id": "10de"}, "a release of nobody", False),
    ],
)
def test_each_release_takes_the_keys_that_it_knows(alias: dict[str, Any], release: str, refused: bool) -> None:
    """A key of a later release ends an earlier one, and no release is blamed for what it takes."""
    assert bool(refusals([alias], versions_named(release), in_placement=False)) is refused


@pytest.mark.parametrize(
    ("microversion", "versions"),
    [
        ((2, 42), Versions(15, 15)),
        ((2, 90), Versions(24, 25)),
        ((2, 100), Versions(31, 32)),
        ((2, 104), Versions(34, ANY_VERSION.highest)),
        ((2, 94), Versions(27, 27)),
        ((2, 1), Versions(0, 15)),
    ],
)
def test_the_release_is_known_by_its_highest_microversion(microversion: tuple[int, int], versions: Versions) -> None:
    """One that is between two releases is a development version of the later."""
    assert versions_of(microversion) == versions


def _device(address: str, *, parent: str = "", class_code: str = "030200", driver: str | None = None) -> PciDevice:
    physical = PciAddress(parent) if parent else None
    return PciDevice(PciAddress(address), "10de", "2331", class_code, driver, 1, 0, None, physical)


H100 = {"vendor_id": "10de", "product_id": "2331"}
CARD = _device("0000:04:00.0")
FUNCTION = _device("0000:04:00.4", parent="0000:04:00.0")
OTHER = _device("0000:04:00.5", parent="0000:04:00.0")


@pytest.mark.parametrize(
    ("specs", "devices", "reports", "cause"),
    [
        ([{"vendor_id": "10de"}], (CARD, FUNCTION), True, "device-spec-refused/dependent"),
        ([{"vendor_id": "10de"}], (CARD, FUNCTION), False, None),
        ([{"vendor_id": "10de"}], (FUNCTION, OTHER), True, None),
        (
            [{"address": "0000:04:00.4", "resource_class": "A"}, {"address": "0000:04:00.5", "resource_class": "B"}],
            (FUNCTION, OTHER),
            True,
            "device-spec-refused/mixed",
        ),
        (
            [{"address": "0000:04:00.4", "traits": "a,b"}, {"address": "0000:04:00.5", "traits": "B, a"}],
            (FUNCTION, OTHER),
            True,
            None,
        ),
        (
            [{"vendor_id": "10de", "one_time_use": "no"}],
            (FUNCTION,),
            True,
            "device-spec-refused/one_time_use_of_function",
        ),
        ([{"vendor_id": "10de", "physical_network": "x"}], (CARD, FUNCTION), True, None),
        ([{"vendor_id": "10de", "productid": "2331"}], (CARD,), False, "device-spec-unknown-key"),
        ([{"vendor_id": "10de", "color": "green"}], (CARD,), False, None),
        ([{"vendor_id": "10de"}, {**H100, "traits": "big"}], (CARD,), False, "device-spec-shadowed"),
        ([{"product_id": "2331", "traits": "big"}, {"vendor_id": "10de"}], (CARD,), False, None),
        ([{"product_id": "2331"}, {"address": "*:04:00.*", "traits": "big"}], (CARD,), False, "device-spec-shadowed"),
        (
            [{"address": "*:04:00.0", "traits": "a"}, {"address": "*:04:00.*", "traits": "b"}],
            (CARD,),
            False,
            "device-spec-shadowed",
        ),
        ([{"vendor_id": "10de"}, {"product_id": "2331"}], (CARD,), False, None),
        ([{"vendor_id": "10de"}, {"product_id": "9999", "traits": "big"}], (CARD,), False, None),
    ],
)
def test_entries_are_judged_with_the_devices_that_they_take(
    specs: list[dict[str, Any]], devices: tuple[PciDevice, ...], reports: bool, cause: str | None
) -> None:
    """Nova finds some mistakes only when it reports the devices to Placement."""
    found = nova_device_specs.findings(specs, devices, NOW, reports=reports)

    assert [item.cause for item in found] == ([cause] if cause else [])


DISK = PciDevice(PciAddress("0000:00:1f.2"), "8086", "8d02", "010601", "ahci", 1, 0, None)
USB = _device("0000:84:00.2", class_code="0c0330", driver="xhci_hcd")
AUDIO = _device("0000:04:00.1", class_code="040300", driver="snd_hda_intel")


@pytest.mark.parametrize(
    ("spec", "takes"),
    [
        ({"address": "*:*:*.*"}, True),
        ({}, True),
        ({"vendor_id": "*", "product_id": "*"}, True),
        ({"vendor_id": "10de"}, False),
        ({"vendor_id": "8086"}, False),
        ({"address": "*:04:00.*"}, False),
        ({"vendor_id": "10de", "product_id": "2331"}, False),
        ({"address": "*:*:*.*", "physical_network": "physnet0"}, False),
    ],
)
def test_an_entry_that_takes_what_the_host_needs_is_seen(spec: dict[str, Any], takes: bool) -> None:
    """One slot with all of its functions, or devices by their ids, are meant."""
    assert bool(nova_device_specs.takes_the_host(spec, (CARD, AUDIO, DISK, USB))) is takes


def test_a_domain_of_five_digits_is_passed_over() -> None:
    """Nova offers no such device, whatever device_spec says (nova/pci/manager.py)."""
    far = PciDevice(PciAddress("10000:01:00.0"), "10de", "2331", "030200", None, 1, 0, None)

    assert nova_device_specs.taken_by([{"vendor_id": "10de"}], CARD) is not None
    assert nova_device_specs.taken_by([{"vendor_id": "10de"}], far) is None


def test_names_are_made_acceptable_as_nova_does_it() -> None:
    """Classes and traits are compared in Placement's spelling."""
    assert nova_device_specs.normalized("my gpu-class") == "CUSTOM_MY_GPU_CLASS"
    assert nova_device_specs.normalized("CUSTOM_p100") == "CUSTOM_P100"
    assert nova_device_specs.normalized("PGPU") == "PGPU"
    assert nova_device_specs.normalized("HW_GPU_API_VULKAN") == "HW_GPU_API_VULKAN"


def test_a_switch_is_read_as_oslo_reads_it() -> None:
    """In any case, with blanks around it."""
    assert [nova_aliases.is_on(word) for word in ("Yes", " TRUE ", "0", True, "perhaps")] == [
        True,
        True,
        False,
        True,
        False,
    ]

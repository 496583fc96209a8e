"""--every-card: which instances hold every card of every GPU host."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from access.errors import InputError
from cloud_file.cloud import Cloud
from cloud_file.every_card import every_card
from cloud_file.loading import load

REPOSITORY = Path(__file__).resolve().parents[2]


def cloud_with(tmp_path: Path, **changes: Any) -> Cloud:
    """The embedded lab's cloud file with some sections replaced."""
    content = yaml.safe_load((REPOSITORY / "clouds" / "lab.yaml").read_text(encoding="utf-8")) | changes
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return load(str(file))


def host(name: str, **cards: int) -> dict[str, Any]:
    """A GPU host with so many cards of each model, P100 or V100."""
    models = {"p100": "P100-PCIE-16GB", "v100": "V100-PCIE-32GB"}
    return {
        "name": name,
        "role": "Compute",
        "cpu_vendor": "intel",
        "gpus": [{"model": models[model], "count": count} for model, count in cards.items()],
    }


GPUS = [
    {"model": "P100-PCIE-16GB", "product_id": "15f8", "device_type": "type-PCI"},
    {"model": "V100-PCIE-32GB", "product_id": "1db6", "device_type": "type-PCI"},
]
ALIASES = [{"name": "a1", "gpu": "P100-PCIE-16GB"}, {"name": "a2", "gpu": "V100-PCIE-32GB"}]


def flavor(name: str, memory_mb: int = 8192, **aliases: int) -> dict[str, Any]:
    """A flavor of so many cards of each alias."""
    return {"name": name, "vcpus": 4, "memory_mb": memory_mb, "disk_gb": 40, "aliases": aliases}


def declared_cards(cloud: Cloud) -> Counter[str]:
    """All cards of all hosts by model."""
    return Counter({item.model: 0 for item in cloud.gpus}) + sum(
        (Counter({item.model: item.count}) for each in cloud.gpu_hosts for item in each.gpus), Counter()
    )


def held_cards(cloud: Cloud) -> Counter[str]:
    """All cards that the instances ask for."""
    return sum(
        (Counter({item.model: item.count}) for guest in cloud.guests for item in cloud.gpus_of(guest.flavor)), Counter()
    )


def test_the_lab_needs_two_instances(tmp_path: Path) -> None:
    """Two hosts of two cards, and a flavor that takes both."""
    found = every_card(cloud_with(tmp_path))

    assert [(guest.name, guest.flavor) for guest in found.guests] == [("every-1", "m1.xall"), ("every-2", "m1.xall")]
    assert held_cards(found) == declared_cards(found)


@pytest.mark.parametrize(
    ("hosts", "flavors", "expected"),
    [
        ([{"p100": 8}] * 12, {"one": {"a1": 1}, "eight": {"a1": 8}}, {"eight": 12}),
        ([{"p100": 8}] * 12, {"one": {"a1": 1}}, {"one": 96}),
        ([{"p100": 8}, {"p100": 4}], {"four": {"a1": 4}, "eight": {"a1": 8}}, {"eight": 1, "four": 1}),
        ([{"p100": 7}], {"one": {"a1": 1}, "four": {"a1": 4}, "two": {"a1": 2}}, {"four": 1, "two": 1, "one": 1}),
        ([{"p100": 2}, {"v100": 4}], {"p": {"a1": 2}, "v": {"a2": 2}}, {"p": 1, "v": 2}),
        ([{"p100": 2, "v100": 2}], {"both": {"a1": 1, "a2": 1}}, {"both": 2}),
    ],
)
def test_every_card_is_held(
    tmp_path: Path, hosts: list[dict[str, int]], flavors: dict[str, dict[str, int]], expected: dict[str, int]
) -> None:
    """By the largest flavors that fit, whatever hosts and flavors there are."""
    found = every_card(_made(tmp_path, hosts, flavors))

    assert held_cards(found) == declared_cards(found)
    assert Counter(guest.flavor for guest in found.guests) == expected


def test_the_largest_come_first(tmp_path: Path) -> None:
    """A small instance would else take a part of the only host that a large one fits."""
    flavors = {"one": {"a1": 1}, "four": {"a1": 4}, "eight": {"a1": 8}}
    found = every_card(_made(tmp_path, [{"p100": 4}, {"p100": 8}, {"p100": 1}], flavors))

    sizes = [sum(item.count for item in found.gpus_of(guest.flavor)) for guest in found.guests]
    assert sizes == sorted(sizes, reverse=True)


def test_names_are_of_one_length_and_differ(tmp_path: Path) -> None:
    """So that lists of them sort."""
    names = [guest.name for guest in every_card(_made(tmp_path, [{"p100": 8}] * 12, {"one": {"a1": 1}})).guests]

    assert len(set(names)) == 96
    assert {len(name) for name in names} == {len("every-01")}


def test_the_quota_is_large_enough(tmp_path: Path) -> None:
    """What the file declares is for its own instances."""
    cloud = _made(tmp_path, [{"p100": 8}] * 12, {"one": {"a1": 1}})
    found = every_card(cloud)

    assert found.tenant is not None
    quota = found.tenant.quota
    assert quota is not None
    assert (quota.cores, quota.memory_mb, quota.instances) == (96 * 4, 96 * 8192, 96)
    assert cloud.tenant is not None
    assert cloud.tenant.quota != quota


@pytest.mark.parametrize(
    ("hosts", "flavors", "words"),
    [
        ([{"p100": 3}], {"two": {"a1": 2}}, "takes 1 P100-PCIE-16GB of gpu-0"),
        ([{"p100": 2}, {"v100": 2}], {"two": {"a1": 2}}, "takes 2 V100-PCIE-32GB of gpu-1"),
    ],
)
def test_a_card_that_no_flavor_takes_is_a_mistake_of_the_file(
    tmp_path: Path, hosts: list[dict[str, int]], flavors: dict[str, dict[str, int]], words: str
) -> None:
    """It is said before anything is made."""
    with pytest.raises(InputError, match=words):
        every_card(_made(tmp_path, hosts, flavors))


def test_a_machine_alone_needs_no_sweep(tmp_path: Path) -> None:
    """All its cards are measured anyway."""
    example = REPOSITORY / "clouds" / "examples" / "gpu-host.yaml"

    with pytest.raises(InputError, match="machine alone"):
        every_card(load(str(example)))


def _made(tmp_path: Path, hosts: list[dict[str, int]], flavors: dict[str, dict[str, int]]) -> Cloud:
    content = yaml.safe_load((REPOSITORY / "clouds" / "lab.yaml").read_text(encoding="utf-8"))
    others = [item for item in content["hosts"] if not item.get("gpus")]
    return cloud_with(
        tmp_path,
        gpus=GPUS,
        aliases=ALIASES,
        hosts=[*others, *(host(f"gpu-{number}", **cards) for number, cards in enumerate(hosts))],
        flavors=[flavor(name, **aliases) for name, aliases in flavors.items()],
        guests=[{"name": "declared", "flavor": next(iter(flavors))}],
        excused_cards=[],
        deploy=content["deploy"] | {"parameters": {}} if "deploy" in content else None,
    )

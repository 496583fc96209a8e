"""`{each_host: FLAVOR}`: instances for all cards of every host, however many cards each has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from access.errors import CloudFileError
from cloud_file.loading import CLOUDS_DIRECTORY, load
from cloud_file.schema import schema

EXAMPLE = yaml.safe_load((CLOUDS_DIRECTORY / "examples" / "twelve-by-eight.yaml").read_text(encoding="utf-8"))


def _content(guest: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**EXAMPLE, "guests": [guest], **changes}


def _loaded(tmp_path: Path, content: dict[str, Any]) -> list[tuple[str, str, str | None]]:
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return [(guest.name, guest.flavor, guest.availability_zone) for guest in load(str(file)).guests]


def _flavor(cards: int) -> str:
    return next(each["name"] for each in EXAMPLE["flavors"] if cards in each["aliases"].values())


def test_each_host_gets_as_many_as_it_has_the_cards_for(tmp_path: Path) -> None:
    found = _loaded(tmp_path, _content({"each_host": _flavor(8)}))

    assert len(found) == 12
    assert {flavor for _, flavor, _ in found} == {_flavor(8)}
    assert len({name for name, _, _ in found}) == 12


def test_a_flavor_of_fewer_cards_is_made_more_often(tmp_path: Path) -> None:
    """Twelve hosts by eight cards; the last one has three."""
    flavors = [{**EXAMPLE["flavors"][0], "name": "two", "aliases": dict.fromkeys(EXAMPLE["flavors"][0]["aliases"], 2)}]
    hosts = [host for host in EXAMPLE["hosts"] if host.get("gpus")]
    gpu = hosts[0]["gpus"][0] | {"count": 3} if hosts else {"model": EXAMPLE["gpus"][0]["model"], "count": 3}
    other = {**EXAMPLE["hosts"][-1], "name": "odd-one", "gpus": [gpu]}
    other.pop("address", None)
    content = _content({"each_host": "two"}, flavors=flavors, hosts=[*EXAMPLE["hosts"], other])
    content["tenant"] = {**EXAMPLE["tenant"], "quota": {"cores": 9999, "memory_mb": 99999999, "instances": 99}}

    assert len(_loaded(tmp_path, content)) == 12 * 4 + 1


def test_the_zone_may_name_the_host(tmp_path: Path) -> None:
    content = _content({"each_host": _flavor(8), "availability_zone": "nova:{host}"})
    zones = [zone for _, _, zone in _loaded(tmp_path, content)]

    assert len(set(zones)) == 12
    assert all(zone and zone.startswith("nova:") and "{" not in zone for zone in zones)


@pytest.mark.parametrize(
    ("guest", "said"),
    [
        ({"each_host": "no-such"}, "no flavor with an alias"),
        ({"each_host": "x", "name": "mine"}, "leave name out"),
        ({"each_host": "x", "flavor": "mine"}, "leave flavor out"),
        ({"each_host": 3}, "no flavor with an alias"),
        ({"each_host": None}, "no flavor with an alias"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, guest: dict[str, Any], said: str) -> None:
    with pytest.raises(CloudFileError, match=said) as error:
        _loaded(tmp_path, _content(guest))

    assert "guests[0]" in str(error.value)


def test_a_flavor_that_no_host_has_the_cards_for(tmp_path: Path) -> None:
    flavors = [{**EXAMPLE["flavors"][0], "name": "huge", "aliases": dict.fromkeys(EXAMPLE["flavors"][0]["aliases"], 9)}]

    with pytest.raises(CloudFileError, match="no host has the cards of huge: 9"):
        _loaded(tmp_path, _content({"each_host": "huge"}, flavors=flavors))


@pytest.mark.parametrize(
    ("guest", "is_good"),
    [({"each_host": "gpu"}, True), ({"name": "a", "flavor": "b"}, True), ({"volume_gb": 3}, False)],
)
def test_the_schema_takes_the_same(guest: dict[str, Any], is_good: bool) -> None:
    validator = jsonschema.Draft202012Validator(json.loads(json.dumps(schema())))
    mistakes = [error for error in validator.iter_errors(_content(guest)) if list(error.path)[:1] == ["guests"]]

    assert (mistakes == []) == is_good

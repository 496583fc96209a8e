"""`{each_host: FLAVOR}` among guests: as many instances of that flavor as each host has the cards for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloud_file.shapes import entries, mapping, number, text

KEY = "each_host"
HOST = "{host}"
"""In the zone of such an entry it stands for the host's name, so that each instance is made there (`nova:{host}`)."""
WITHOUT = ("name", "flavor")


class EachHostError(ValueError):
    """An entry that cannot be used; `key` has what is wrong."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(why)
        self.key = key


def instances(entry: Mapping[str, Any], content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The instances that an entry stands for; `content` is the file with its hosts one by one.

    Raises:
        EachHostError: no host has the cards, or the entry names itself as well.
    """
    for key in WITHOUT:
        if key in entry:
            raise EachHostError(key, f"{KEY} makes a name and has the flavor: leave {key} out")
    flavor = text(entry, KEY) or ""
    needed = _cards_of(flavor, content)
    if not needed:
        raise EachHostError(KEY, f"{flavor[:80]!r} is no flavor with an alias of a declared card")
    places = [host for _, host in entries(content, "hosts") for _ in range(_how_often(host, needed))]
    if not places:
        raise EachHostError(KEY, f"no host has the cards of {flavor[:80]}: {_told(needed)}")
    digits = len(str(len(places)))
    rest = {key: value for key, value in entry.items() if key != KEY}
    return [
        {**_placed(rest, host), "name": f"{flavor.replace('.', '-')}-{count:0{digits}}", "flavor": flavor}
        for count, host in enumerate(places, start=1)
    ]


def _cards_of(flavor: str, content: Mapping[str, Any]) -> dict[str, int]:
    """Cards of a flavor by model."""
    models = {text(alias, "name"): text(alias, "gpu") for _, alias in entries(content, "aliases")}
    found = next((each for _, each in entries(content, "flavors") if text(each, "name") == flavor), {})
    needed: dict[str, int] = {}
    for alias, count in mapping(found, "aliases").items():
        model = models.get(alias)
        if model is not None:
            needed[model] = needed.get(model, 0) + number(count)
    return {model: count for model, count in needed.items() if count > 0}


def _how_often(host: Mapping[str, Any], needed: Mapping[str, int]) -> int:
    """How many instances of a flavor a host has the cards for."""
    there: dict[str, int] = {}
    for _, gpu in entries(host, "gpus"):
        model = text(gpu, "model") or ""
        there[model] = there.get(model, 0) + number(gpu.get("count", 1))
    return min(there.get(model, 0) // count for model, count in needed.items())


def _placed(entry: Mapping[str, Any], host: Mapping[str, Any]) -> dict[str, Any]:
    zone = text(entry, "availability_zone")
    if zone is None or HOST not in zone:
        return dict(entry)
    return {**entry, "availability_zone": zone.replace(HOST, text(host, "name") or "")}


def _told(needed: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {model}" for model, count in sorted(needed.items()))

"""The layer of a check, from the deployment's files up to CUDA: judging/layers.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from access.errors import InputError

FILE = Path(__file__).with_name("layers.yaml")


class Place(StrEnum):
    """What a check is made at."""

    CLOUD = "cloud"
    HOST = "host"
    GUEST = "guest"
    SCENARIO = "scenario"
    """A case of a test that makes instances of its own."""


class Needs(StrEnum):
    """The least that a cloud must be to have a layer."""

    MACHINE = "machine"
    OPENSTACK = "openstack"
    TRIPLEO = "tripleo"


@dataclass(frozen=True)
class Layer:
    """Checks that stand or fall together."""

    name: str
    """First word of its checks' ids."""
    order: int
    """From the bottom up."""
    title: str
    place: Place
    needs: Needs
    step: str
    """Where the page shows it in the stack."""
    cards: bool = False
    """Whether its checks are about cards: their records say which."""


@dataclass(frozen=True)
class _Part:
    prefix: str
    layer: Layer

    def covers(self, check: str) -> bool:
        return check == self.prefix or check.startswith((f"{self.prefix}.", f"{self.prefix}_"))


UNKNOWN = Layer("", 1000, "Other", Place.GUEST, Needs.MACHINE, "Run")
"""The layer of a check that no layer names, for example of an older run, or one that users wrote themselves."""


def layers() -> tuple[Layer, ...]:
    """All layers from the bottom up."""
    return tuple(part.layer for part in _parts() if part.prefix == part.layer.name)


@cache
def layer_of(check: str) -> Layer:
    """The layer of a check by its id; `UNKNOWN` if no layer has it."""
    fitting = [part for part in _parts() if part.covers(check)]
    return max(fitting, key=lambda part: len(part.prefix)).layer if fitting else UNKNOWN


def is_of_one_place(one: str, other: str) -> bool:
    """Whether two checks are made at places of one kind: then one place's fault does not explain another's."""
    kind = layer_of(one).place
    return kind is layer_of(other).place and kind is not Place.SCENARIO


@cache
def _parts() -> tuple[_Part, ...]:
    """Each layer, and each part of one that differs from it.

    Raises:
        InputError: the file has an unknown key or value.
    """
    document = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return tuple(part for order, entry in enumerate(document["layers"]) for part in _parts_of(order, entry))


def _parts_of(order: int, entry: Mapping[str, Any]) -> list[_Part]:
    fields = {key: value for key, value in entry.items() if key != "parts"}
    try:
        layer = Layer(order=order, **{**fields, "place": Place(fields["place"]), "needs": Needs(fields["needs"])})
        found = [_Part(layer.name, layer)]
        for part in entry.get("parts", ()):
            other = _with(layer, {key: value for key, value in part.items() if key != "checks"})
            found += [_Part(prefix, other) for prefix in part["checks"]]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{FILE}: {entry.get('name', 'a layer without a name')}: {error}") from error
    return found


def _with(layer: Layer, changes: Mapping[str, Any]) -> Layer:
    return replace(
        layer,
        cards=bool(changes.get("cards", layer.cards)),
        step=changes.get("step", layer.step),
        place=Place(changes.get("place", layer.place)),
        needs=Needs(changes.get("needs", layer.needs)),
    )

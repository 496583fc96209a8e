"""Lists of scheduler filters, and which filters each release of Nova has."""

from __future__ import annotations

from dataclasses import dataclass

from preflight.finding import Location
from preflight.nova_conf import Option, Scope
from preflight.releases import load_data
from preflight.yaml_source import Node


@dataclass(frozen=True)
class NamedFilter:
    """One filter of a list, as written; in the list's text it stands alone where `is_alone`."""

    name: str
    location: Location
    is_alone: bool = False


@dataclass(frozen=True)
class FilterList:
    """A list of scheduler filters: what sets it, where, and the filters."""

    setting: str
    location: Location
    value_location: Location
    text: str
    """The list where it is one text; "" for a YAML list."""
    filters: tuple[NamedFilter, ...]
    scope: Scope

    @property
    def names(self) -> frozenset[str]:
        """The filters' class names."""
        return frozenset(item.name for item in self.filters)


def filter_list_of_node(name: Node, value: Node, scope: Scope) -> FilterList:
    """A parameter's or hiera key's list."""
    if value.is_list:
        found = tuple(NamedFilter(_class(node.text), node.location, is_alone=True) for node in value.elements())
        return FilterList(name.text, name.location, value.location, "", found, scope)
    found = tuple(NamedFilter(_class(part), value.location) for part in _parts(value.text))
    return FilterList(name.text, name.location, value.location, value.text, found, scope)


def filter_list_of_option(option: Option) -> FilterList:
    """The list of an option of nova.conf, each filter with its column where that can be told."""
    found = []
    for part in _parts(option.value):
        start = option.value.find(part)
        where = option.place.at(0, start) if option.place and option.place.is_exact else option.location
        found.append(NamedFilter(_class(part), where))
    value_location = option.place.at(0) if option.place else option.location
    return FilterList(option.name, option.location, value_location, option.value, tuple(found), option.scope)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _class(text: str) -> str:
    return text.rsplit(".", 1)[-1]


def known_filters(release: str) -> frozenset[str] | None:
    """Scheduler filters of a release; None if the release is not known."""
    data = load_data("filters.yaml")
    order = list(data["sources"])
    if release not in order:
        return None
    here = order.index(release)
    return frozenset(
        name for name, (first, last) in data["filters"].items() if order.index(first) <= here <= order.index(last)
    )

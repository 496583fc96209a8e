"""What Nova makes of a whole list of PCI aliases, release by release, in its own words.

Read from nova/pci/request.py of Nova 15 (Ocata) to 34 (2026.2).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from probes.openstack.nova_release import ANY_VERSION, Versions

KEYS_SINCE = {
    "name": 0,
    "capability_type": 0,
    "product_id": 0,
    "vendor_id": 0,
    "device_type": 13,
    "numa_policy": 17,
    "resource_class": 27,
    "traits": 27,
    "live_migratable": 31,
}
"""Keys of an alias, and the version that first took each; any other is refused."""
POLICIES_SINCE = {"required": 17, "legacy": 17, "preferred": 17, "socket": 23}
DEVICE_TYPES = ("type-PCI", "type-PF", "type-VF")
ONE_SPEC_SINCE = IDS_SINCE = 32
"""Since 2025.2 aliases are read at the start, and those that cannot work are refused."""
ID = re.compile(r"[\da-fA-F]{4}")
YES, NO = ("1", "t", "true", "on", "y", "yes"), ("0", "f", "false", "off", "n", "no")
"""Words that oslo.utils takes for a switch, in any case."""
NAME_LIMIT_CHARS = 256


@dataclass(frozen=True)
class Refusal:
    """One reason for which Nova refuses the list."""

    wording: str
    """Which wording of the fix applies: key, value, policies, types, ids or specs."""
    what: str


def is_switch(value: Any) -> bool:
    """Whether Nova can read a value as yes or no."""
    return str(value).strip().lower() in (*YES, *NO)


def is_on(value: Any) -> bool:
    """Whether Nova reads a value as yes."""
    return str(value).strip().lower() in YES


def name_of(alias: Mapping[str, Any]) -> str:
    """The name by which flavors ask for an alias: Nova takes white space around it away."""
    return str(alias.get("name", "")).strip()


def refusals(aliases: Sequence[Mapping[str, Any]], versions: Versions, *, in_placement: bool) -> list[Refusal]:
    """Why Nova refuses the aliases of one nova.conf; empty if it takes them.

    `in_placement` is [filter_scheduler] pci_in_placement of the same file.
    """
    found = [refusal for alias in aliases for refusal in _of_one(alias, versions)]
    if found:
        return found
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for alias in aliases:
        by_name.setdefault(name_of(alias), []).append(alias)
    for name, members in by_name.items():
        found += _of_one_name(name, members, versions)
    return found or list(_of_placement(by_name, versions, in_placement))


def _of_one(alias: Mapping[str, Any], versions: Versions) -> Iterator[Refusal]:
    shown = f"alias {alias.get('name', '')!r}"
    for key in alias:
        since = KEYS_SINCE.get(key)
        if since is None or not versions.may_have(since):
            near = difflib.get_close_matches(key, KEYS_SINCE, n=1, cutoff=0.5)
            hint = f"; is {near[0]!r} meant?" if near and since is None else ""
            later = f"; it came with Nova {since}" if since else ""
            yield Refusal("key", f"{shown}: {key!r} was unexpected{hint}{later}")
    name = alias.get("name")
    if not isinstance(name, str) or not 0 < len(name) <= NAME_LIMIT_CHARS:
        yield Refusal("value", f"{shown}: a name is text of 1 to {NAME_LIMIT_CHARS} characters")
    for key in ("vendor_id", "product_id"):
        if key in alias and not (isinstance(alias[key], str) and ID.fullmatch(alias[key])):
            yield Refusal("value", f"{shown}: {key} {alias[key]!r} is not four hexadecimal digits as text")
    if "device_type" in alias and alias["device_type"] not in DEVICE_TYPES:
        yield Refusal("value", f"{shown}: {alias['device_type']!r} is not one of {', '.join(DEVICE_TYPES)}")
    policies = [policy for policy, since in POLICIES_SINCE.items() if versions.may_have(since)]
    if "numa_policy" in alias and alias["numa_policy"] not in policies:
        yield Refusal("value", f"{shown}: {alias['numa_policy']!r} is not one of {', '.join(policies)}")
    for key in ("resource_class", "traits", "live_migratable"):
        if key in alias and not isinstance(alias[key], str):
            yield Refusal("value", f"{shown}: {key} {alias[key]!r} is not of type 'string'")
    if isinstance(alias.get("live_migratable"), str) and not is_switch(alias["live_migratable"]):
        yield Refusal("value", f"{shown}: live_migratable {alias['live_migratable']!r} is neither yes nor no")


def _of_one_name(name: str, members: Sequence[Mapping[str, Any]], versions: Versions) -> Iterator[Refusal]:
    if len(members) < 2:
        return
    policies = {str(member.get("numa_policy") or "legacy") for member in members}
    if len(policies) > 1:
        text = f"NUMA policy mismatch for alias {name!r}: {' and '.join(sorted(policies))}"
        yield Refusal("policies", text)
    types = {member.get("device_type") for member in members}
    if None in types:
        yield Refusal("types", f"alias {name!r} stands {len(members)} times, and not every line has its device_type")
    elif len(types) > 1:
        yield Refusal("types", f"Device type mismatch for alias {name!r}: {' and '.join(sorted(map(str, types)))}")


def _of_placement(
    by_name: Mapping[str, Sequence[Mapping[str, Any]]], versions: Versions, in_placement: bool
) -> Iterator[Refusal]:
    if versions == ANY_VERSION or not versions.may_have(IDS_SINCE):
        return
    several = sorted(name for name, members in by_name.items() if len(members) > 1)
    if in_placement and several:
        yield Refusal(
            "specs", f"{', '.join(several)} has several lines, and pci_in_placement takes one line for each alias"
        )
    bare = sorted(
        name for name, members in by_name.items() for member in members if not _says_what(member, in_placement)
    )
    if bare:
        wanted = "vendor_id and product_id" + (" or resource_class" if in_placement else "")
        off = "" if in_placement else ", and resource_class counts only where pci_in_placement is on in this file"
        yield Refusal("ids", f"alias {', '.join(bare)} does not have {wanted}{off}")


def _says_what(alias: Mapping[str, Any], in_placement: bool) -> bool:
    return {"vendor_id", "product_id"} <= alias.keys() or (in_placement and "resource_class" in alias)

"""Mistakes that no single field of a cloud file can show."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cloud_file import kind_host
from cloud_file.deployer import TRIPLEO, known_deployers, known_releases
from cloud_file.thresholds import threshold_mistakes

Mistake = tuple[tuple[int | str, ...], str]
"""Where in the file (keys and indexes), and what is wrong."""


def contradictions(raw: Mapping[str, Any]) -> Iterator[Mistake]:
    """Every mistake that takes more than one field to see; `raw` is the file as YAML reads it."""
    checks: tuple[Callable[[Mapping[str, Any]], Iterator[Mistake]], ...] = (
        _needs_of_kind,
        _deployer_and_release,
        _references,
        _duplicates,
        _secrets,
        _addresses,
        _quota,
        _cards_on_one_host,
        _excused_hosts,
        kind_host.mistakes,
        threshold_mistakes,
    )
    for check in checks:
        yield from check(raw)


NEEDS = {
    "lab": ("release", "gpus", "aliases", "image", "flavors", "tenant", "networks", "cuda", "guests"),
    "tripleo": ("undercloud", "release", "gpus", "aliases", "image", "flavors", "tenant", "networks", "cuda", "guests"),
    "existing": ("openstack", "gpus", "aliases", "image", "flavors", "tenant", "networks", "cuda", "guests"),
    "host": (),
}


def _needs_of_kind(raw: Mapping[str, Any]) -> Iterator[Mistake]:
    kind = raw.get("kind")
    for key in NEEDS.get(kind, ()) if isinstance(kind, str) else ():
        if not raw.get(key):
            yield (key,), f"is needed for kind {kind}"
    access = raw.get("openstack")
    if isinstance(access, Mapping) and bool(access.get("cloud")) == bool(access.get("rc_file")):
        yield ("openstack",), "name either cloud (of clouds.yaml) or rc_file (on the undercloud)"
    if isinstance(access, Mapping) and access.get("rc_file") and kind == "existing" and not raw.get("undercloud"):
        yield ("openstack", "rc_file"), "lies on the undercloud, but no undercloud is given"
    if kind != kind_host.KIND:
        for index, host in _entries(raw, "hosts"):
            if not host.get("role"):
                yield ("hosts", index), "needs a role"
    if raw.get("simulated") and kind != "lab":
        yield ("simulated",), "only the embedded lab is simulated"


def _deployer_and_release(raw: Mapping[str, Any]) -> Iterator[Mistake]:
    deployer, release = raw.get("deployer"), raw.get("release")
    if deployer is not None and deployer not in known_deployers():
        yield ("deployer",), f"unknown deployer {deployer!r}; known: {', '.join(known_deployers())}"
        return
    if deployer not in (None, TRIPLEO) and raw.get("kind") in ("lab", "tripleo"):
        yield ("deployer",), f"kind {raw['kind']} is deployed by TripleO"
    if deployer is None and release is None:
        return
    known = known_releases(str(deployer or TRIPLEO))
    if known and release not in known:
        yield ("release",), f"unknown release {release!r}; known: {', '.join(sorted(known))}"


def _excused_hosts(raw: Mapping[str, Any]) -> Iterator[Mistake]:
    names = {host.get("name") for _, host in _entries(raw, "hosts")}
    for index, excuse in _entries(raw, "excused_cards"):
        if excuse.get("host") not in (None, *names):
            yield ("excused_cards", index, "host"), f"no host {excuse['host']!r} is declared"


def _references(raw: Mapping[str, Any]) -> Iterator[Mistake]:
    models = {gpu.get("model") for _, gpu in _entries(raw, "gpus")}
    aliases = {alias.get("name") for _, alias in _entries(raw, "aliases")}
    flavors = {flavor.get("name") for _, flavor in _entries(raw, "flavors")}
    for index, host in _entries(raw, "hosts") if raw.get("kind") != kind_host.KIND else ():
        for gpu_index, gpu in _entries(host, "gpus"):
            if gpu.get("model") not in models:
                yield ("hosts", index, "gpus", gpu_index, "model"), f"{gpu.get('model')!r} is not among gpus"
    for index, alias in _entries(raw, "aliases"):
        if alias.get("gpu") not in models:
            yield ("aliases", index, "gpu"), f"{alias.get('gpu')!r} is not among gpus"
    for index, flavor in _entries(raw, "flavors"):
        asked = flavor.get("aliases")
        for name in asked if isinstance(asked, Mapping) else ():
            if name not in aliases:
                yield ("flavors", index, "aliases", name), "no such alias under aliases"
    for index, guest in _entries(raw, "guests"):
        if guest.get("flavor") not in flavors:
            yield ("guests", index, "flavor"), f"{guest.get('flavor')!r} is not among flavors"


def _duplicates(raw: Mapping[str, Any]) -> Iterator[Mistake]:
    for section, key in (
        ("hosts", "name"),
        ("gpus", "model"),
        ("aliases", "name"),
        ("flavors", "name"),
        ("guests", "name"),
    ):
        seen: set[Any] = set()
        for index, entry in _entries(raw, section):
            name = entry.get(key)
            if name in seen:
                yield (section, index, key), f"{name!r} is given twice"
            seen.add(name)


SECRET_KEY = re.compile(r"password|secret|token|activation_key", re.IGNORECASE)


def _secrets(raw: Any, location: tuple[int | str, ...] = ()) -> Iterator[Mistake]:
    """Secrets written in the file itself, also in `deploy.parameters`."""
    if isinstance(raw, Mapping):
        for key, value in raw.items():
            here = (*location, key)
            if SECRET_KEY.search(str(key)) and isinstance(value, str | int):
                yield here, "is a secret: name it by reference, {env: NAME} or {file: PATH}"
            elif SECRET_KEY.search(str(key)) and isinstance(value, Mapping) and set(value) <= {"env", "file"}:
                if len(value) != 1:
                    yield here, "name exactly one of env and file"
            else:
                yield from _secrets(value, here)
    elif isinstance(raw, list):
        for index, value in enumerate(raw):
            yield from _secrets(value, (*location, index))


def _addresses(raw: Mapping[str, Any]) -> Iterator[Mistake]:
    networks = raw.get("networks")
    for side in ("external", "tenant"):
        network = networks.get(side) if isinstance(networks, Mapping) else None
        if not isinstance(network, Mapping) or not isinstance(network.get("cidr"), str):
            given = side == "external" and isinstance(network, Mapping) and not network.get("existing")
            if given and raw.get("kind") in ("tripleo", "existing"):
                yield ("networks", side), "needs cidr, gateway and pool, or existing: true"
            continue
        try:
            cidr = ipaddress.ip_network(network["cidr"])
        except ValueError as error:
            yield ("networks", side, "cidr"), str(error)
            continue
        pool = network.get("pool")
        for key, value in (
            ("gateway", network.get("gateway")),
            *(("pool", end) for end in (pool if isinstance(pool, list) else ())),
        ):
            if isinstance(value, str) and not _is_inside(value, cidr):
                yield ("networks", side, key), f"{value} is not an address in {cidr}"


def _is_inside(address: str, cidr: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    try:
        return ipaddress.ip_address(address) in cidr
    except ValueError:
        return False


def _quota(raw: Mapping[str, Any]) -> Iterator[Mistake]:
    """A quota that is too small for the guests."""
    flavors = {flavor.get("name"): flavor for _, flavor in _entries(raw, "flavors")}
    tenant = raw.get("tenant")
    quota = tenant.get("quota") if isinstance(tenant, Mapping) else None
    if not isinstance(quota, Mapping):
        return
    wanted = [flavors[guest.get("flavor")] for _, guest in _entries(raw, "guests") if guest.get("flavor") in flavors]
    for key, needed in (
        ("cores", sum(_number(flavor.get("vcpus")) for flavor in wanted)),
        ("memory_mb", sum(_number(flavor.get("memory_mb")) for flavor in wanted)),
        ("instances", len(wanted)),
    ):
        if isinstance(quota.get(key), int) and quota[key] < needed:
            yield ("tenant", "quota", key), f"{quota[key]} is less than the guests need: {needed}"


def _cards_on_one_host(raw: Mapping[str, Any]) -> Iterator[Mistake]:
    """Flavors that ask for more cards than any host has."""
    cards = [sum(_number(gpu.get("count")) for _, gpu in _entries(host, "gpus")) for _, host in _entries(raw, "hosts")]
    for index, flavor in _entries(raw, "flavors"):
        aliases = flavor.get("aliases")
        asked = sum(_number(count) for count in aliases.values()) if isinstance(aliases, Mapping) else 0
        if cards and asked > max(cards):
            yield (
                ("flavors", index, "aliases"),
                f"{flavor.get('name')} asks for {asked} GPUs, no declared host has more than {max(cards)}",
            )


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _entries(raw: Mapping[str, Any], section: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    listed = raw.get(section)
    for index, entry in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(entry, Mapping):
            yield index, entry

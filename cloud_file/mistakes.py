"""Mistakes that no single field of a cloud file can show."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cloud_file import kind_host
from cloud_file.deployer import TRIPLEO, known_deployers, known_releases
from cloud_file.reading import Location
from cloud_file.shapes import entries, mapping, number, text
from cloud_file.thresholds import threshold_mistakes
from cloud_file.written_secrets import written_secrets
from probes.references import gpu_models

Mistake = tuple[Location, str]
"""Where in the file (keys and indexes), and what is wrong."""


def contradictions(raw: Mapping[str, Any]) -> Iterator[Mistake]:
    """Every mistake that takes more than one field to see; `raw` is the file as YAML reads it."""
    checks: tuple[Callable[[Mapping[str, Any]], Iterator[Mistake]], ...] = (
        _needs_of_kind,
        _deployer_and_release,
        _references,
        _facts,
        _facts,
        _duplicates,
        written_secrets,
        _addresses,
        _quota,
        _cards,
        _cards_on_one_host,
        _image_properties,
        _access,
        _existing_tenant,
        _installation,
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
    kind = text(raw, "kind")
    is_deployed = kind == "lab" and text(raw, "deployer") not in (None, TRIPLEO)
    for key in NEEDS.get(kind or "", ()):
        if not raw.get(key) and not (key == "release" and is_deployed):
            yield (key,), f"is needed for kind {kind}"
    access = mapping(raw, "openstack")
    named = [key for key in ("cloud", "rc_file") if access.get(key)]
    if "openstack" in raw and (len(named) > 1 or (not named and kind == "existing")):
        yield ("openstack",), "name either cloud (of clouds.yaml) or rc_file (on the undercloud)"
    if access.get("rc_file") and kind == "existing" and not raw.get("undercloud"):
        yield ("openstack", "rc_file"), "lies on the undercloud, but no undercloud is given"
    if kind != kind_host.KIND:
        for index, host in entries(raw, "hosts"):
            if not host.get("role"):
                yield ("hosts", index), "needs a role"
    if raw.get("simulated") and kind != "lab":
        yield ("simulated",), "only the embedded lab is simulated"


def _deployer_and_release(raw: Mapping[str, Any]) -> Iterator[Mistake]:
    deployer, release = raw.get("deployer"), raw.get("release")
    if deployer is not None and deployer not in known_deployers():
        yield ("deployer",), f"unknown deployer {deployer!r}; known: {', '.join(known_deployers())}"
        return
    if deployer not in (None, TRIPLEO) and raw.get("kind") == "tripleo":
        yield ("deployer",), "kind tripleo is deployed by TripleO"
    if deployer not in (None, TRIPLEO) and raw.get("kind") == "lab" and not raw.get("lab_declaration"):
        yield ("deployer",), "a lab of another deployer than TripleO needs a lab_declaration with its layout"
    if deployer is None and release is None:
        return
    known = known_releases(str(deployer or TRIPLEO))
    if known and release not in known:
        yield ("release",), f"unknown release {release!r}; known: {', '.join(sorted(known))}"


def _names(raw: Mapping[str, Any], section: str, key: str = "name") -> set[str]:
    return {name for _, entry in entries(raw, section) if (name := text(entry, key)) is not None}


def _excused_hosts(raw: Mapping[str, Any]) -> Iterator[Mistake]:
    for index, excuse in entries(raw, "excused_cards"):
        yield from _unknown(excuse, "host", _names(raw, "hosts"), "hosts", ("excused_cards", index))


def _references(raw: Mapping[str, Any]) -> Iterator[Mistake]:
    models, aliases, flavors = _names(raw, "gpus", "model"), _names(raw, "aliases"), _names(raw, "flavors")
    for index, host in entries(raw, "hosts") if raw.get("kind") != kind_host.KIND else ():
        for gpu_index, gpu in entries(host, "gpus"):
            yield from _unknown(gpu, "model", models, "gpus", ("hosts", index, "gpus", gpu_index))
    for index, alias in entries(raw, "aliases"):
        yield from _unknown(alias, "gpu", models, "gpus", ("aliases", index))
    for index, flavor in entries(raw, "flavors"):
        for name in mapping(flavor, "aliases"):
            if name not in aliases:
                yield ("flavors", index, "aliases", name), "no such alias under aliases"
    for index, guest in entries(raw, "guests"):
        yield from _unknown(guest, "flavor", flavors, "flavors", ("guests", index))


def _unknown(entry: Mapping[str, Any], key: str, known: set[str], section: str, here: Location) -> Iterator[Mistake]:
    name = text(entry, key)
    if name is not None and name not in known:
        yield (*here, key), f"{name[:80]!r} is not among {section}"


def _facts(raw: Mapping[str, Any]) -> Iterator[Mistake]:
    """Facts of a model that the reference data lack, without what tells the card and its drivers."""
    for index, gpu in entries(raw, "gpus"):
        facts = gpu.get("facts")
        if not isinstance(facts, Mapping) or text(gpu, "model") in gpu_models():
            continue
        lacking = [key for key in ("name", "architecture") if not facts.get(key)]
        if lacking:
            yield ("gpus", index, "facts"), f"the reference data lack this model: needs {' and '.join(lacking)}"


def _duplicates(raw: Mapping[str, Any]) -> Iterator[Mistake]:
    for section, key in (
        ("hosts", "name"),
        ("gpus", "model"),
        ("aliases", "name"),
        ("flavors", "name"),
        ("guests", "name"),
    ):
        seen: set[str] = set()
        for index, entry in entries(raw, section):
            name = text(entry, key)
            if name is not None and name in seen:
                yield (section, index, key), f"{name[:80]!r} is given twice"
            seen.add(name or "")


def _addresses(raw: Mapping[str, Any]) -> Iterator[Mistake]:
    networks = mapping(raw, "networks")
    for side in ("external", "tenant"):
        network = mapping(networks, side)
        if text(network, "cidr") is None:
            given = side == "external" and side in networks and not network.get("existing")
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
    flavors = {name: flavor for _, flavor in entries(raw, "flavors") if (name := text(flavor, "name"))}
    quota = mapping(mapping(raw, "tenant"), "quota")
    wanted = [flavors[name] for _, guest in entries(raw, "guests") if (name := text(guest, "flavor")) in flavors]
    for key, needed in (
        ("cores", sum(number(flavor.get("vcpus")) for flavor in wanted)),
        ("memory_mb", sum(number(flavor.get("memory_mb")) for flavor in wanted)),
        ("instances", len(wanted)),
    ):
        if number(quota.get(key)) and quota[key] < needed:
            yield ("tenant", "quota", key), f"{quota[key]} is less than the guests need: {needed}"


def _cards(raw: Mapping[str, Any]) -> Iterator[Mistake]:
    """A cloud in which no host has a card: there would be nothing to accept."""
    hosts = raw.get("hosts")
    if (
        text(raw, "kind") not in (None, kind_host.KIND)
        and isinstance(hosts, list)
        and not any(_has_cards(host) for host in hosts)
    ):
        yield ("hosts",), "no host declares gpus: what should be accepted?"


def _has_cards(host: Any) -> bool:
    return not isinstance(host, Mapping) or bool(host.get("gpus"))


def _cards_on_one_host(raw: Mapping[str, Any]) -> Iterator[Mistake]:
    """Flavors that ask for more cards than any host has."""
    cards = [sum(number(gpu.get("count")) for _, gpu in entries(host, "gpus")) for _, host in entries(raw, "hosts")]
    for index, flavor in entries(raw, "flavors"):
        asked = sum(number(count) for count in mapping(flavor, "aliases").values())
        if cards and asked > max(cards):
            yield (
                ("flavors", index, "aliases"),
                f"{text(flavor, 'name')} asks for {asked} GPUs, no declared host has more than {max(cards)}",
            )


OF_THE_UPLOAD = ("name", "id", "disk_format", "container_format", "visibility", "data", "validate_checksum", "filename")
"""What we say of an image ourselves when it is uploaded."""


def _image_properties(raw: Mapping[str, Any]) -> Iterator[Mistake]:
    for key in mapping(mapping(raw, "image"), "properties"):
        if key in OF_THE_UPLOAD:
            yield ("image", "properties", key), "is no property: the suite says it when it uploads the image"


def _access(raw: Mapping[str, Any]) -> Iterator[Mistake]:
    """Ways to hosts and instances that exclude each other, or lead nowhere."""
    for key in ("overcloud_access", "access"):
        access = mapping(raw, key)
        if access.get("via_undercloud") and access.get("bastions"):
            yield (key, "bastions"), "either via_undercloud or bastions: the undercloud may be named as a bastion"
    networks = mapping(raw, "networks")
    address = text(mapping(raw, "guest_access"), "address")
    if address == "floating" and "tenant" in networks and not networks.get("external"):
        yield ("guest_access", "address"), "floating IPs come from networks.external, which is not given"
    openstack = mapping(raw, "openstack")
    if openstack.get("verify") is False and openstack.get("cacert"):
        yield ("openstack", "verify"), "`false` checks nothing, also not by cacert: leave one of the two out"


def _existing_tenant(raw: Mapping[str, Any]) -> Iterator[Mistake]:
    """What a project and a user need that exist, and what those need that are made."""
    tenant = mapping(raw, "tenant")
    if not tenant:
        return
    if tenant.get("existing"):
        if bool(tenant.get("password")) == bool(tenant.get("cloud")):
            yield ("tenant",), "an existing user logs in either by password (a reference) or by cloud (of clouds.yaml)"
        if tenant.get("quota"):
            yield ("tenant", "quota"), "an existing project keeps its quota: leave it out"
        return
    if tenant.get("cloud"):
        yield ("tenant", "cloud"), "is how an existing user logs in: add existing: true"
    if not tenant.get("quota"):
        yield ("tenant", "quota"), "is missing"


def _installation(raw: Mapping[str, Any]) -> Iterator[Mistake]:
    """What an instance needs to install CUDA, unless its image brings it."""
    cuda = mapping(raw, "cuda")
    if not cuda or raw.get("kind") == kind_host.KIND:
        return
    for key in ("packages", "repository"):
        if cuda.get("installed") and cuda.get(key):
            yield ("cuda", key), "is installed by nobody where the image brings it (installed: true)"
        if not cuda.get("installed") and key not in cuda:
            yield ("cuda", key), "is missing"

"""From the declaration of hosts to each machine's hardware, the one source of every tool's answer."""

from __future__ import annotations

import hashlib
import re
import uuid
from pathlib import Path
from typing import Any

import yaml

from lab.errors import LabError

MODELS: dict[str, dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "models.yaml").read_text())
ADDRESS = re.compile(r"([0-9a-f]{4,8}):([0-9a-f]{2}):([0-1][0-9a-f])\.([0-7])")
KINDS = {"Undercloud": "undercloud", "Controller": "controller"}
GUEST_CPU = {
    "vendor": "intel",
    "model": "Intel Core Processor (Broadwell, IBRS)",
    "sockets": 8,
    "cores_per_socket": 1,
    "threads": 1,
}


def check_declaration(declaration: dict[str, Any]) -> None:
    """Refuse hosts that could not exist.

    Raises:
        LabError: lists every mistake.
    """
    mistakes = list(_mistakes(declaration))
    if mistakes:
        raise LabError("the declared machines cannot exist:\n  " + "\n  ".join(mistakes))


def _mistakes(declaration: dict[str, Any]) -> Any:
    hosts = declaration.get("hosts") or []
    names = [host.get("name") for host in hosts]
    for name in sorted({str(name) for name in names if names.count(name) > 1}):
        yield f"{name}: declared twice"
    for role in ("Undercloud", "Controller"):
        if [host.get("role") for host in hosts].count(role) != 1:
            yield f"exactly one host of role {role} is needed"
    for host in hosts:
        yield from _host_mistakes(host)


def _host_mistakes(host: dict[str, Any]) -> Any:
    name = host.get("name", "?")
    sockets = int(host.get("cpu", {}).get("sockets", 1))
    if host.get("cpu", {}).get("vendor") not in ("intel", "amd"):
        yield f"{name}: cpu.vendor is intel or amd"
    seen = set()
    for gpu in host.get("gpus", ()):
        address = str(gpu.get("address"))
        if not ADDRESS.fullmatch(address):
            yield f"{name}: {address} is no PCI address of the form 0000:04:00.0"
        if address in seen:
            yield f"{name}: two devices at {address}"
        seen.add(address)
        model = MODELS.get(str(gpu.get("model")))
        if model is None:
            yield f"{name}: unknown GPU model {gpu.get('model')}; known are {', '.join(MODELS)}"
        elif _exceeds(gpu.get("link", {}), model["link"]):
            yield f"{name}: {address} cannot have a better link than its model: {model['link']}"
        if not 0 <= int(gpu.get("numa_node", 0)) < sockets:
            yield f"{name}: {address} is on NUMA node {gpu.get('numa_node')}, the host has {sockets} sockets"


def _exceeds(link: dict[str, int], best: dict[str, int]) -> bool:
    return any(int(link.get(key, 0)) > value for key, value in best.items())


def host_machine(host: dict[str, Any], address: str) -> dict[str, Any]:
    """machine.json of a declared host."""
    kind = KINDS.get(host["role"], "compute")
    gpus = [_gpu(str(host["name"]), gpu) for gpu in host.get("gpus", ())]
    keys = ("name", "role", "cpu", "memory_mb", "firmware", "os")
    rest = {key: value for key, value in host.items() if key not in (*keys, "gpus")}
    return {**{key: host[key] for key in keys}, **rest, "kind": kind, "addresses": [address], "gpus": gpus}


def _gpu(host: str, gpu: dict[str, Any]) -> dict[str, Any]:
    """A card with serial and UUID of its own, the same at every start."""
    seed = f"{host} {gpu['address']} {gpu['model']}"
    serial = str(int(hashlib.sha256(seed.encode()).hexdigest()[:12], 16))[:13]
    data = MODELS[gpu["model"]]
    state = {"uuid": f"GPU-{uuid.uuid5(uuid.NAMESPACE_OID, seed)}", "serial": serial.rjust(13, "0")}
    link = {**data["link"], **gpu.get("link", {})}
    return {**data, "max_link": data["link"], **state, **gpu, "link": link}


def guest_machine(declaration: dict[str, Any], host_machine_data: dict[str, Any]) -> dict[str, Any]:
    """machine.json of a guest: the cards of its host that it was given, at the addresses of a virtual bus."""
    cards = {gpu["address"]: gpu for gpu in host_machine_data["gpus"]}
    gpus = []
    for number, address in enumerate(declaration.get("gpus", ())):
        card = cards[address]
        gpus.append(
            {
                **card,
                "address": f"0000:00:{5 + number:02x}.0",
                "host_address": address,
                "host_numa_node": card["numa_node"],
                "numa_node": -1,
            }
        )
    return {
        "name": declaration["hostname"],
        "kind": "guest",
        "uuid": declaration["uuid"],
        "host": declaration["host"],
        "cpu": {**GUEST_CPU, "sockets": declaration["vcpus"]},
        "memory_mb": declaration["memory_mb"],
        "firmware": declaration.get("firmware", {"type": "bios", "iommu": False, "secure_boot": False}),
        "os": declaration["os"],
        "addresses": declaration.get("addresses", []),
        "fixed_ip": declaration.get("fixed_ip"),
        "gpus": gpus,
        "appliance_kernel": declaration.get("appliance_kernel"),
        "virtualised": True,
        "p2p_exposed": declaration.get("p2p_exposed", False),
    }

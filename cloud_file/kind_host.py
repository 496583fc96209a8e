"""kind host: machines with GPUs and no cloud. What a cloud file for them needs, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cloud_file.reading import Location
from cloud_file.shapes import entries, mapping, text
from probes.references import NVIDIA_VENDOR_ID, gpu_models

KIND = "host"
OF_A_CLOUD = (
    "undercloud",
    "openstack",
    "release",
    "aliases",
    "deploy",
    "image",
    "flavors",
    "tenant",
    "networks",
    "guests",
)
LOCAL = ("localhost", "127.0.0.1", "::1")


def is_local(address: str) -> bool:
    """Whether commands are run here, without SSH."""
    return address in LOCAL


def completed(raw: dict[str, Any]) -> dict[str, Any]:
    """The file with what follows from its hosts: each is where CUDA is checked, and its models need no ids.

    A host takes the place of an instance: a guest and a "flavor" of its own name stand for it.
    """
    if raw.get("kind") != KIND:
        return raw
    hosts = [host for _, host in entries(raw, "hosts") if host.get("name")]
    given = raw.get("gpus")
    named = {text(gpu, "model") for _, gpu in entries(raw, "gpus")}
    used = {model for host in hosts for _, gpu in entries(host, "gpus") if (model := text(gpu, "model"))}
    found = [_gpu(model) for model in sorted(used - named) if model in gpu_models()]
    return {
        **raw,
        "gpus": [*(given or ()), *found] if given is None or isinstance(given, list) else given,
        "guests": [{"name": host["name"], "flavor": host["name"]} for host in hosts if host.get("gpus")],
    }


def _gpu(model: str) -> dict[str, Any]:
    known = gpu_models()[model]
    return {
        "model": model,
        "vendor_id": NVIDIA_VENDOR_ID,
        "product_id": known.product_id,
        "device_type": known.device_type or "type-PCI",
    }


def mistakes(raw: Mapping[str, Any]) -> Iterator[tuple[Location, str]]:
    """What is wrong in a file of kind host beyond its single fields."""
    if raw.get("kind") != KIND:
        return
    for key in OF_A_CLOUD:
        if raw.get(key):
            yield (key,), "is of a cloud; kind host has none"
    for index, host in entries(raw, "hosts"):
        if not host.get("address"):
            yield ("hosts", index), "needs an address (or `localhost`) for kind host"
        if not host.get("gpus"):
            yield ("hosts", index), "needs gpus for kind host: what should be in it?"
        yield from _unknown_models(raw, index, host)
    access = mapping(raw, "access") or mapping(raw, "overcloud_access")
    remote = [host for _, host in entries(raw, "hosts") if host.get("address") and not is_local(str(host["address"]))]
    if remote and not access.get("user"):
        yield ("access",), "needs a user: who logs in by SSH?"


def _unknown_models(raw: Mapping[str, Any], index: int, host: Mapping[str, Any]) -> Iterator[tuple[Location, str]]:
    written = {text(gpu, "model") for _, gpu in entries(raw, "gpus")}
    for gpu_index, gpu in entries(host, "gpus"):
        model = text(gpu, "model")
        if model and model not in written and model not in gpu_models():
            known = ", ".join(sorted(gpu_models()))
            yield ("hosts", index, "gpus", gpu_index, "model"), f"{model[:80]!r} is not in the reference data: {known}"

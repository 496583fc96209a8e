"""Quota and flavor, deadline and what is installed in it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from preflight.catalogue import rule
from preflight.deployment import Deployment
from preflight.finding import Finding, Location
from preflight.heat import resolve, resources
from preflight.releases import load_data

QUOTA_BELOW_FLAVOR = rule("GP801")
SHORT_DEADLINE = rule("GP802")
SHORT_DEPLOY = rule("GP803")
TOO_LITTLE_MEMORY = rule("GP804")
LITTLE_LEFT_FOR_HOST = rule("GP805")
QUOTA_BELOW_STACK = rule("GP806")
RULES = (QUOTA_BELOW_FLAVOR, SHORT_DEADLINE, SHORT_DEPLOY, TOO_LITTLE_MEMORY, LITTLE_LEFT_FOR_HOST, QUOTA_BELOW_STACK)
LEAST_GUEST_MB = 2048
LEAST_HOST_MB = 2048
INSTALLED = {
    "driver": re.compile(r"cuda-drivers|nvidia-driver|NVIDIA-Linux|install\s+(?:-\S+\s+)*cuda(?![\w-])"),
    "toolkit": re.compile(r"cuda-toolkit|install\s+(?:-\S+\s+)*cuda(?:-\d+-\d+)?(?![\w-])|cuda_\S+\.run"),
    "samples": re.compile(r"\bmake\b"),
    "update": re.compile(r"\b(?:yum|dnf)\s+(?:-\S+\s+)*(?:update|upgrade)|apt-get\s+(?:-\S+\s+)*(?:dist-)?upgrade"),
}
"""What takes time in a guest's script; seconds of each: data/install_times.yaml."""
DEPLOY_MINUTES = 30
QUOTA_OPTIONS = {"--cores": "vcpus", "--ram": "ram", "--instances": "instances"}


def check(deployment: Deployment) -> Iterator[Finding]:
    """Findings of this concern."""
    flavors = list(_flavors(deployment))
    for location, quota in _quotas(deployment):
        for key, limit in quota.items():
            name, need = max(
                ((name, size.get(key, 0)) for name, size in flavors),
                key=lambda pair: pair[1],
                default=("", 0),
            )
            if 0 <= limit < need:
                yield QUOTA_BELOW_FLAVOR.at(
                    location, f"{key}: {limit}", f"flavor {name} needs {need}", f"at least {need}"
                )
    yield from _whole_stack(deployment, dict(flavors))
    yield from _deadlines(deployment)
    yield from _memory(deployment)
    for command in deployment.files.commands:
        limit_text = command.option("--timeout", "-t") if command.runs("overcloud", "deploy") else None
        if limit_text and limit_text.isdigit() and int(limit_text) < DEPLOY_MINUTES:
            yield SHORT_DEPLOY.at(
                command.location, f"--timeout {limit_text}", "the unit is minutes", "--timeout 90 or more"
            )


def _number(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"-?[0-9]{1,12}", text) else None


def _flavors(deployment: Deployment) -> Iterator[tuple[str, dict[str, int]]]:
    gpu_flavors = {use.name for use in deployment.flavor_uses}
    for template in deployment.files.templates:
        for name, resource in resources(template):
            kind = resource.get("type")
            if kind is None or kind.text != "OS::Nova::Flavor":
                continue
            sizes = {key: _number(node.text) for key in ("vcpus", "ram") if (node := resource.find("properties", key))}
            shown = resource.find("properties", "name")
            yield (
                (shown.text if shown is not None and shown.text else name.text),
                {key: size for key, size in sizes.items() if size is not None},
            )
    for command in deployment.files.commands:
        if command.runs("openstack", "flavor", "create") and (not gpu_flavors or command.words[-1] in gpu_flavors):
            sizes = {"vcpus": _number(command.option("--vcpus")), "ram": _number(command.option("--ram"))}
            yield command.words[-1], {key: size for key, size in sizes.items() if size is not None}


def _quotas(deployment: Deployment) -> Iterator[tuple[Location, dict[str, int]]]:
    for command in deployment.files.commands:
        if command.runs("openstack", "quota", "set"):
            limits = {key: _number(command.option(option)) for option, key in QUOTA_OPTIONS.items()}
            yield command.location, {key: limit for key, limit in limits.items() if limit is not None}
    for template in deployment.files.templates:
        for name, resource in resources(template):
            kind = resource.get("type")
            if kind is not None and kind.text == "OS::Nova::Quota":
                limits = {
                    ours: _number(node.text)
                    for theirs, ours in (("cores", "vcpus"), ("ram", "ram"), ("instances", "instances"))
                    if (node := resource.find("properties", theirs))
                }
                yield name.location, {key: limit for key, limit in limits.items() if limit is not None}


def _whole_stack(deployment: Deployment, flavors: dict[str, dict[str, int]]) -> Iterator[Finding]:
    """All servers of one template against each quota."""
    for template in deployment.files.templates:
        names = [
            flavor.text
            for _, resource in resources(template)
            if (kind := resource.get("type")) is not None and kind.text == "OS::Nova::Server"
            if (flavor := resource.find("properties", "flavor")) is not None and flavor.text in flavors
        ]
        if len(names) < 2:
            continue
        for location, quota in _quotas(deployment):
            for key, limit in quota.items():
                need = len(names) if key == "instances" else sum(flavors[name].get(key, 0) for name in names)
                one = 1 if key == "instances" else max(flavors[name].get(key, 0) for name in names)
                if one <= limit < need:
                    yield QUOTA_BELOW_STACK.at(
                        location,
                        f"{key}: {limit}",
                        f"the {len(names)} instances of {template.path.name} need {need}",
                        f"at least {need}",
                    )


def _memory(deployment: Deployment) -> Iterator[Finding]:
    for use in deployment.flavor_uses:
        if use.ram_mb is not None and use.ram_mb < LEAST_GUEST_MB:
            yield TOO_LITTLE_MEMORY.at(
                use.location, f"ram: {use.ram_mb}", "driver and toolkit need 2 GB to install", "ram: 8192 or more"
            )
    for _, name, value in deployment.role_parameters:
        kept = _number(value.text) if name.text == "NovaReservedHostMemory" else None
        if kept is not None and kept < LEAST_HOST_MB and deployment.gives_gpus:
            yield LITTLE_LEFT_FOR_HOST.at(
                value.location,
                f"{name.text}: {kept}",
                "instances with cards hold all of their memory pinned, the host's own services have the rest",
                f"{name.text}: 4096",
            )


def _deadlines(deployment: Deployment) -> Iterator[Finding]:
    seconds_of: dict[str, int] = load_data("install_times.yaml")
    for template in deployment.files.templates:
        text = "\n".join(script.text for script in deployment.files.embedded_scripts if script.path == template.path)
        parts = [part for part, pattern in INSTALLED.items() if pattern.search(text)]
        if not {"driver", "toolkit"} & set(parts):
            continue
        need = seconds_of["base"] + sum(seconds_of[part] for part in parts)
        for _, resource in resources(template):
            kind, timeout = resource.get("type"), resource.find("properties", "timeout")
            if kind is None or kind.text != "OS::Heat::WaitCondition" or timeout is None:
                continue
            seconds = _number(resolve(template, timeout))
            if seconds is not None and seconds < need:
                yield SHORT_DEADLINE.at(
                    timeout.location,
                    f"timeout: {seconds}",
                    f"{', '.join(parts)} may take {need} s together",
                    f"timeout: {max(3600, need)}",
                )

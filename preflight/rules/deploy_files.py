"""What the deploy command reads of these files, and what it passes over without a word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from preflight.catalogue import rule
from preflight.client import TEMPLATES, DeployCommand, left_out_because, match
from preflight.deployment import Deployment
from preflight.finding import Finding, Location
from preflight.yaml_source import Node

IGNORED_FILE = rule("GP102")
NOT_DEPLOYED = rule("GP109")
OVERRIDDEN = rule("GP110")
UNKNOWN_ROLE = rule("GP111")
NO_SUCH_DIRECTORY = rule("GP112")
NAMED_OTHERWISE = rule("GP113")
WRONG_SECTION = rule("GP114")
RULES = (IGNORED_FILE, NOT_DEPLOYED, OVERRIDDEN, UNKNOWN_ROLE, NO_SUCH_DIRECTORY, NAMED_OTHERWISE, WRONG_SECTION)
GPU_SETTINGS = re.compile(
    r"OS::TripleO::(?:\w+::)?NodeUserData|OS::TripleO::NodeExtraConfig|NovaPCIPassthrough|NovaScheduler(?:Default|Enabled)Filters|KernelArgs|nova::pci|nova::api::pci|nova::compute::pci"
)
REPLACED = re.compile(r"NovaPCIPassthrough|NovaScheduler(?:Default|Enabled)Filters|\w*KernelArgs")
ROLE_NAME = re.compile(r"(?P<role>[A-Z]\w*?)(?:Parameters|ExtraConfig|KernelArgs)\Z")
EVERY_ROLE = {"", "NovaCompute", "BlockStorage", "ObjectStorage", "CephStorage", "SwiftStorage"}


def check(deployment: Deployment) -> Iterator[Finding]:
    """Findings of this concern."""
    yield from _ignored(deployment)
    for deploy in deployment.deploys:
        yield from _missing(deployment, deploy)
    if len(deployment.deploys) == 1:
        yield from _not_deployed(deployment, deployment.deploys[0])
        yield from _overridden(deployment, deployment.deploys[0])
    yield from _roles(deployment)
    for environment in deployment.files.environments:
        block = environment.get("parameters")
        for name, _ in block.items() if block and environment.get("heat_template_version") is None else ():
            if REPLACED.fullmatch(name.text):
                yield WRONG_SECTION.at(
                    name.location,
                    name.text,
                    "`parameters:` reaches the top template only, and that one does not declare it",
                    "put it below `parameter_defaults:`",
                )


def _ignored(deployment: Deployment) -> Iterator[Finding]:
    directories = dict.fromkeys(folder for deploy in deployment.deploys for folder in deploy.local_directories)
    given = {path for deploy in deployment.deploys for path in deploy.read_paths}
    for environment in deployment.files.environments:
        path = environment.path
        beside = path.parent in directories or path.parent.name == "environments"
        inside = [folder for folder in directories if folder in path.parent.parents]
        reason = left_out_because(path.name) if beside or inside else None
        if inside and reason is None:
            reason = f"only the files directly in {inside[0].name} are read"
        if reason and path not in given:
            yield IGNORED_FILE.at(
                Location(path),
                path.name,
                f"--environment-directory passes it over: {reason}",
                _where(path.stem, inside),
            )


def _where(stem: str, inside: list[Path]) -> str:
    name = f"{stem.lstrip('.')}.yaml"
    return f"move it up, as {name}, or name it with -e" if inside else f"rename the file to {name}"


def _missing(deployment: Deployment, deploy: DeployCommand) -> Iterator[Finding]:
    folders, here = deployment.files.folders, deploy.command.location.path
    for name in deploy.directories:
        parent, _, last = name.rstrip("/").rpartition("/")
        ours = match(parent, folders, here) if parent and "$" not in name else None
        if ours is not None and ours.name not in ("stack", "home") and not (ours / last).is_dir():
            yield NO_SUCH_DIRECTORY.at(
                deploy.command.location,
                name,
                f"{ours} has no directory {last}",
                "correct the path, or add the directory",
            )
    for name in deploy.environment_files:
        other = f"{name[:-5]}.yml" if name.endswith(".yaml") else f"{name[:-4]}.yaml"
        if TEMPLATES in name or not name.endswith((".yaml", ".yml")) or match(name, deployment.files.texts, here):
            continue
        found = match(other, deployment.files.texts, here)
        if found is not None:
            yield NAMED_OTHERWISE.at(deploy.command.location, name, f"there is {found.name} instead", f"-e {other}")


def _not_deployed(deployment: Deployment, deploy: DeployCommand) -> Iterator[Finding]:
    given = set(deploy.read_paths)
    folders = {path.parent for path in given}
    for environment in deployment.files.environments:
        path = environment.path
        if path in given or path.parent not in folders or path.parent in deploy.local_directories:
            continue
        if left_out_because(path.name) and path.parent.name == "environments":  # said already
            continue
        found = next((node for node in environment.walk() if GPU_SETTINGS.search(node.text)), None)
        if found is not None:
            yield NOT_DEPLOYED.at(
                found.location,
                found.text,
                f"{deploy.command.location.path.name} reads other files of this directory, not this one",
                f"add -e {path.name} to the command in line {deploy.command.location.line}",
            )


def _overridden(deployment: Deployment, deploy: DeployCommand) -> Iterator[Finding]:
    first: dict[str, tuple[Node, Node]] = {}
    for environment in deploy.environments:
        block = environment.get("parameter_defaults")
        for name, value in block.items() if block else ():
            if not REPLACED.fullmatch(name.text):
                continue
            before = first.get(name.text)
            if before is not None and _content(before[1]) != _content(value):
                yield OVERRIDDEN.at(
                    before[0].location,
                    name.text,
                    f"{environment.path.name} is read later and sets it, too (line {name.location.line})",
                    "set it in one file only, with everything in it",
                )
            first[name.text] = (name, value)


def _content(node: Node) -> list[str]:
    return [item.text for item in node.walk()]


def _roles(deployment: Deployment) -> Iterator[Finding]:
    if not deployment.roles:
        return
    local = deployment.local_parameters
    for name, value in deployment.parameters:
        found = ROLE_NAME.fullmatch(name.text)
        if found is None or name.text in local or not _is_for_gpus(name, value):
            continue
        roles = deployment.roles_beside(name.path)
        if found["role"] in roles | EVERY_ROLE:
            continue
        yield UNKNOWN_ROLE.at(
            name.location,
            name.text,
            f"the roles file has {', '.join(sorted(roles))}",
            f"name one of these roles, or add {found['role']} to the roles file",
        )


def _is_for_gpus(name: Node, value: Node) -> bool:
    return "KernelArgs" in name.text or any(GPU_SETTINGS.search(key.text) for key, _ in value.items())

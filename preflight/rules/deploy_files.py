"""What the deploy command reads of these files, and what it passes over without a word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from preflight.client import TEMPLATES, DeployCommand, left_out_because, match
from preflight.deployment import Deployment
from preflight.finding import Finding, Place, Rule, Severity
from preflight.yaml_source import Node

CLIENT = "https://opendev.org/openstack/python-tripleoclient/src/branch/stable/queens/tripleoclient/utils.py"
SILENT = "nowhere: the deploy is green and the settings are missing; seen as 'No valid host was found' at the first GPU instance"
IGNORED_FILE = Rule("GP102", "An environment file is silently left out", Severity.ERROR, SILENT, CLIENT)
NOT_DEPLOYED = Rule("GP109", "The deploy command does not name an environment file with GPU settings", Severity.ERROR, SILENT, CLIENT)  # fmt: skip
OVERRIDDEN = Rule("GP110", "A later environment file replaces a GPU setting", Severity.WARNING, "nowhere: lists and values are replaced as a whole, only mappings are merged", CLIENT)  # fmt: skip
UNKNOWN_ROLE = Rule("GP111", "Settings for a role that the roles file does not have", Severity.ERROR, SILENT, "https://docs.openstack.org/project-deploy-guide/tripleo-docs/latest/features/custom_roles.html")  # fmt: skip
NO_SUCH_DIRECTORY = Rule("GP112", "--environment-directory names a directory that is not there", Severity.ERROR, "the deploy stops: 'Error: The following environment directories were not found'", CLIENT)  # fmt: skip
NAMED_OTHERWISE = Rule("GP113", "The deploy command names a file whose ending is another", Severity.ERROR, "the deploy stops: 'Error: The following files were not found'", CLIENT)  # fmt: skip
WRONG_SECTION = Rule("GP114", "A service's parameter below `parameters:`", Severity.ERROR, "the deploy stops: 'The Parameter (…) was not defined in template'", "https://docs.openstack.org/heat/latest/template_guide/environment.html")  # fmt: skip
RULES = (IGNORED_FILE, NOT_DEPLOYED, OVERRIDDEN, UNKNOWN_ROLE, NO_SUCH_DIRECTORY, NAMED_OTHERWISE, WRONG_SECTION)
GPU_SETTINGS = re.compile(r"NovaPCIPassthrough|NovaScheduler(?:Default|Enabled)Filters|KernelArgs|nova::pci|nova::api::pci|nova::compute::pci")  # fmt: skip
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
                    name.place, name.text, "`parameters:` reaches the top template only, and that one does not declare it",
                    "put it below `parameter_defaults:`",
                )  # fmt: skip


def _ignored(deployment: Deployment) -> Iterator[Finding]:
    directories = {folder for deploy in deployment.deploys for folder in deploy.local_directories}
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
                Place(path), path.name, f"--environment-directory passes it over: {reason}", _where(path.stem, inside)
            )


def _where(stem: str, inside: list[Path]) -> str:
    name = f"{stem.lstrip('.')}.yaml"
    return f"move it up, as {name}, or name it with -e" if inside else f"rename the file to {name}"


def _missing(deployment: Deployment, deploy: DeployCommand) -> Iterator[Finding]:
    folders = deployment.files.folders
    for name in deploy.directories:
        parent, _, last = name.rstrip("/").rpartition("/")
        ours = match(parent, folders) if parent and "$" not in name else None
        if ours is not None and ours.name not in ("stack", "home") and not (ours / last).is_dir():
            yield NO_SUCH_DIRECTORY.at(
                deploy.command.place, name, f"{ours} has no directory {last}", "correct the path, or add the directory"
            )
    for name in deploy.environment_files:
        other = f"{name[:-5]}.yml" if name.endswith(".yaml") else f"{name[:-4]}.yaml"
        if TEMPLATES in name or not name.endswith((".yaml", ".yml")) or match(name, deployment.files.texts):
            continue
        found = match(other, deployment.files.texts)
        if found is not None:
            yield NAMED_OTHERWISE.at(deploy.command.place, name, f"there is {found.name} instead", f"-e {other}")


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
                found.place, found.text, f"{deploy.command.place.path.name} reads other files of this directory, not this one",
                f"add -e {path.name} to the command in line {deploy.command.place.line}",
            )  # fmt: skip


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
                    before[0].place, name.text, f"{environment.path.name} is read later and sets it, too (line {name.place.line})",
                    "set it in one file only, with everything in it",
                )  # fmt: skip
            first[name.text] = (name, value)


def _content(node: Node) -> list[str]:
    return [item.text for item in node.walk()]


def _roles(deployment: Deployment) -> Iterator[Finding]:
    if not deployment.roles:
        return
    known = set(deployment.roles) | EVERY_ROLE
    for name, value in deployment.parameters:
        found = ROLE_NAME.fullmatch(name.text)
        if found is None or found["role"] in known or not _is_for_gpus(name, value):
            continue
        yield UNKNOWN_ROLE.at(
            name.place, name.text, f"the roles file has {', '.join(sorted(deployment.roles))}",
            f"name one of these roles, or add {found['role']} to the roles file",
        )  # fmt: skip


def _is_for_gpus(name: Node, value: Node) -> bool:
    return "KernelArgs" in name.text or any(GPU_SETTINGS.search(key.text) for key, _ in value.items())

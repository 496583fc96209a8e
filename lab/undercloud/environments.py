"""What a deploy reads: environment files merged with heatclient's own code, roles, first-boot templates."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlparse

import yaml
from heatclient.common import template_utils

from lab.errors import LabError
from lab.hosts.layout import MachineDir
from lab.paths import REPOSITORY

BASE_URL = "http://undercloud"
"""heatclient joins relative names to URLs; files of the undercloud stand for objects behind this one."""
RELEASES = ("newton", "ocata", "pike", "queens", "rocky", "stein", "train", "ussuri", "victoria", "wallaby")
PARAMETERS = REPOSITORY / "preflight" / "data" / "parameters.yaml"


@dataclass(frozen=True)
class Merged:
    """All environment files together."""

    parameters: dict[str, Any]
    registry: dict[str, Any]
    files: dict[str, str]
    """Templates that the registry names, by URL."""


def environment_files(undercloud: MachineDir, directories: list[str], named: list[str]) -> list[str]:
    """Files in the order in which tripleoclient merges them: directories first, only *.yaml, sorted; then -e."""
    found = []
    for directory in directories:
        folder = undercloud.path(directory)
        if folder.is_dir():
            found += [posixpath.join(directory, path.name) for path in sorted(folder.glob("*.yaml"))]
    return found + named


def merge(undercloud: MachineDir, files: list[str]) -> Merged:
    """Merge environment files.

    Raises:
        LabError: in the client's words, when a file is missing or cannot be read.
    """

    def fetch(_: str, url: str) -> str:
        path = urlparse(url).path
        file = undercloud.path(path)
        if not file.is_file():
            raise LabError(f"Could not fetch contents for file://{path}")
        return file.read_text()

    try:
        contents, environment = template_utils.process_multiple_environments_and_files(
            [BASE_URL + file for file in files], env_path_is_object=lambda _: True, object_request=fetch
        )
    except LabError:
        raise
    except Exception as error:
        raise LabError(f"Error parsing environment file: {error}") from error
    parameters = {**environment.get("parameters", {}), **environment.get("parameter_defaults", {})}
    return Merged(parameters, environment.get("resource_registry", {}), contents)


@cache
def _known_parameters() -> dict[str, list[str]]:
    return dict(yaml.safe_load(PARAMETERS.read_text())["parameters"])


def check_parameters(release: str, merged: Merged, roles: list[str]) -> None:
    """Refuse what the release's templates do not declare, in Heat's words.

    Raises:
        LabError: names the first such parameter.
    """
    own = {name for text in merged.files.values() for name in _template(text).get("parameters", {})}
    for name in merged.parameters:
        if name not in own and not _is_declared(release, name, roles):
            raise LabError(f"ERROR: The Parameter ({name}) was not defined in template.")


def _is_declared(release: str, name: str, roles: list[str]) -> bool:
    position = RELEASES.index(release)
    for known, (first, last) in _known_parameters().items():
        if not RELEASES.index(first) <= position <= RELEASES.index(last):
            continue
        if known == name:
            return True
        if "{role}" in known and any(known.replace("{role}", role) == name for role in roles):
            return True
    return name in {"controllerExtraConfig", "NovaComputeExtraConfig", "ExtraConfig", "DeployArtifactURLs"}


def _template(text: str) -> dict[str, Any]:
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError:
        return {}
    return data if isinstance(data, dict) else {}


def first_boot_scripts(merged: Merged, role: str) -> list[str]:
    """Scripts that a node of a role runs at its first boot: the role's own NodeUserData, else everybody's."""
    for kind in (f"OS::TripleO::{role}::NodeUserData", "OS::TripleO::NodeUserData"):
        target = merged.registry.get(kind)
        if isinstance(target, str) and target in merged.files:
            return _scripts(_template(merged.files[target]), merged.parameters)
    return []


def _scripts(template: dict[str, Any], parameters: dict[str, Any]) -> list[str]:
    resources = template.get("resources", {})
    defaults = {name: entry.get("default") for name, entry in template.get("parameters", {}).items()}
    values = {**defaults, **{name: value for name, value in parameters.items() if name in defaults}}
    found = []
    for resource in resources.values():
        if resource.get("type") != "OS::Heat::MultipartMime":
            continue
        for part in resource.get("properties", {}).get("parts", []):
            config = part.get("config")
            if isinstance(config, dict) and "get_resource" in config:
                config = resources[config["get_resource"]]["properties"].get("config")
            text = _resolve(config, values)
            if text.startswith("#!"):
                found.append(text)
    return found


def _resolve(value: Any, parameters: dict[str, Any]) -> str:
    """Text of a property: plain, get_param or str_replace."""
    if isinstance(value, dict) and "get_param" in value:
        return str(parameters.get(value["get_param"], ""))
    if isinstance(value, dict) and "str_replace" in value:
        text = _resolve(value["str_replace"]["template"], parameters)
        words = value["str_replace"].get("params", {})
        pattern = re.compile("|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)) or r"(?!)")
        return pattern.sub(lambda match: _resolve(words[match[0]], parameters), text)
    return "" if value is None else str(value)

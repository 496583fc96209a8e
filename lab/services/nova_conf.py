"""The nova.conf that the operator wrote on an emulated host, and the files that a Nova service reads with it."""

from __future__ import annotations

import configparser
from pathlib import Path

from lab.hosts.layout import MachineDir
from lab.services.configuration import Sections, write
from lab.state import LabState

COMPUTE_PREFIX = "nova-compute-"
LEGACY_FILTERS = "labcloud.legacy_filters"


def config_files(state: LabState, service: str) -> list[Path]:
    """Files that a Nova service reads, the later ones win.

    The lab's, the host's own, the translation of the release's option names.
    """
    own = host_nova_conf(state, service)
    files = [state.paths.etc / f"{service}.conf"]
    if own.exists():
        files.append(own)
        translation = state.paths.etc / f"{service}-translation.conf"
        write(state, translation.name, _translate(state, own))
        files.append(translation)
    return files


def host_nova_conf(state: LabState, service: str) -> Path:
    """The nova.conf of the service on its emulated host: in the container's directory where the release has them."""
    key = "compute" if service.startswith("nova-compute") else service.removeprefix("nova-")
    inside = str(state.release_data["nova_conf"][key])
    return MachineDir(state.paths, host_of(state, service)).path(inside)


def host_of(state: LabState, process: str) -> str:
    """The emulated host that a process belongs to."""
    return process.removeprefix(COMPUTE_PREFIX) if process.startswith(COMPUTE_PREFIX) else state.controller


def _translate(state: LabState, own: Path) -> Sections:
    """Options under the name that the installed Nova knows, where the lab's release had another one."""
    parser = configparser.RawConfigParser(strict=False, delimiters=("=", ":"), allow_no_value=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(_readable(own.read_text()))
    sections: Sections = {"filter_scheduler": {}}
    for section, option in (
        ("DEFAULT", "scheduler_default_filters"),
        ("filter_scheduler", "scheduler_enabled_filters"),
    ):
        if parser.has_option(section, option) and not parser.has_option("filter_scheduler", "enabled_filters"):
            sections["filter_scheduler"]["enabled_filters"] = parser.get(section, option)
    if state.release_data.get("legacy_filters"):
        names = [f"{LEGACY_FILTERS}.{name}" for name in state.release_data["legacy_filters"]]
        sections["filter_scheduler"]["available_filters"] = ["nova.scheduler.filters.all_filters", *names]
    return sections


def _readable(text: str) -> str:
    """With a section header, which ConfigParser demands and oslo.config does not."""
    return text if text.lstrip().startswith("[") else "[DEFAULT]\n" + text

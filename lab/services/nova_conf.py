"""The nova.conf that the operator wrote on an emulated host, and the files that a Nova service reads with it."""

from __future__ import annotations

import configparser
from pathlib import Path

from lab.hosts.layout import MachineDir
from lab.services.configuration import Sections, write
from lab.services.deployed import copy_in, deployed, files_of, host_of
from lab.state import LabState

LEGACY_FILTERS = "labcloud.legacy_filters"


def config_files(state: LabState, process: str) -> list[Path]:
    """Files that a Nova service reads when it starts, the later ones win.

    The lab's, the host's own or what its container copies from there, the translation of the release's option names.
    """
    service = deployed(state, process)
    copy_in(state, service)
    own = files_of(state, service)
    translation = state.paths.etc / f"{process}-translation.conf"
    write(state, translation.name, _translate(state, own))
    return [state.paths.etc / f"{process}.conf", *own, translation]


def host_nova_conf(state: LabState, service: str) -> Path:
    """The nova.conf that TripleO writes for a service: in the container's directory where the release has them."""
    key = "compute" if service.startswith("nova-compute") else service.removeprefix("nova-")
    inside = str(state.release_data["nova_conf"][key])
    return MachineDir(state.paths, host_of(state, service)).path(inside)


def _translate(state: LabState, own: list[Path]) -> Sections:
    """Options under the name that the installed Nova knows, where the lab's release had another one."""
    parser = configparser.RawConfigParser(strict=False, delimiters=("=", ":"), allow_no_value=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    for file in own:
        parser.read_string(_readable(file.read_text()))
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

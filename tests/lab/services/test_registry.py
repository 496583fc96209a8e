"""The services of the lab, as their files declare them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import LabError
from lab.paths import REPOSITORY, LabPaths
from lab.services import registry
from lab.state import KEYSTONE_PORT


def test_every_file_of_the_folder_is_a_service() -> None:
    """Each file of the folder gives one service, called like the file."""
    files = {file.stem for file in (REPOSITORY / "lab/services/projects").glob("*.py")} - {"__init__"}

    assert {service.name for service in registry.services()} == files


def test_services_do_not_share_ports_processes_or_databases() -> None:
    """Ports, APIs and database files belong to one service each.

    Keystone alone has the port by which a free network is recognised.
    """
    services = registry.services()
    databases = [file for service in services for file in service.databases.values()]

    assert len({service.port for service in services}) == len({service.api for service in services}) == len(services)
    assert len(set(databases)) == len(databases)
    assert [service.name for service in services if service.port == KEYSTONE_PORT] == ["keystone"]


def test_a_service_with_databases_can_create_them() -> None:
    """Every service with databases says how they are created."""
    assert all(service.create_databases is not None for service in registry.services() if service.databases)


def test_an_unknown_service_is_refused_with_the_known_ones() -> None:
    """The error for an unknown service lists those that there are."""
    with pytest.raises(LabError, match="no service called swift; there are nova, neutron, heat"):
        registry.service_called("swift")


def test_the_name_of_the_schemas_changes_with_a_services_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another content or another file of the folder leads to another cache of empty databases."""
    projects = tmp_path / "lab/services/projects"
    projects.mkdir(parents=True)
    (tmp_path / "requirements").mkdir()
    for name in ("requirements/lab.txt", "lab/services/schema.py", "lab/services/databases.py"):
        (tmp_path / name).write_text(name)
    monkeypatch.setattr("lab.paths.REPOSITORY", tmp_path)
    paths = LabPaths(tmp_path, "any")
    names = [paths.schemas]
    for content in ("one", "other"):
        (projects / "clock.py").write_text(content)
        names.append(paths.schemas)
    (tmp_path / "lab/services/databases.py").write_text("changed")
    names.append(paths.schemas)

    assert len(set(names)) == len(names)

"""What the configurations of the services have in common: databases, identity, bus, log, and how a file is written.

What an operator configures (PCI alias, device_spec, filters) is not here: Nova's services read that from their
emulated host's own nova.conf.
"""

from __future__ import annotations

from typing import Any

from lab.state import LabState, write_private

Sections = dict[str, dict[str, Any]]
"""Options by section; an option with a list is written once for each item."""
SQLITE_WAIT = "?timeout=60"


def write(state: LabState, name: str, sections: Sections) -> None:
    """Write a configuration file that only its owner may read."""
    write_private(state.paths.etc / name, text(sections))


def text(sections: Sections) -> str:
    """A configuration file's content."""
    lines = []
    for section, options in sections.items():
        lines.append(f"[{section}]")
        for key, value in options.items():
            lines.extend(f"{key} = {item}" for item in (value if isinstance(value, list) else [value]))
        lines.append("")
    return "\n".join(lines)


def bus_url(state: LabState) -> str:
    """The message bus, for oslo.messaging."""
    return f"lab:///{state.paths.sockets / 'bus.sock'}"


def database_url(state: LabState, name: str) -> str:
    """A service's database."""
    return f"sqlite:///{state.paths.databases}/{name}.db{SQLITE_WAIT}"


def database(state: LabState, name: str) -> dict[str, Any]:
    """Section of a service's database."""
    return {"connection": database_url(state, name), "sqlite_synchronous": "false"}


def identity(state: LabState, user: str) -> dict[str, Any]:
    """How a service's user logs in to Keystone."""
    return {
        "auth_type": "password",
        "auth_url": state.identity_url,
        "username": user,
        "password": state.secret("service"),
        "project_name": "service",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
        "region_name": "RegionOne",
    }


def token(state: LabState, user: str) -> dict[str, Any]:
    """How a service checks the tokens of its callers."""
    return {
        **identity(state, user),
        "www_authenticate_uri": state.identity_url,
        "service_token_roles": "service",
        "service_token_roles_required": "true",
    }


def log(state: LabState, name: str) -> dict[str, Any]:
    """Options for a log of its own."""
    return {"log_file": state.paths.logs / f"{name}.log", "use_stderr": "false"}


def common(state: LabState) -> Sections:
    """Sections that most services have."""
    return {
        "oslo_concurrency": {"lock_path": state.paths.state / "locks"},
        "oslo_messaging_notifications": {"driver": "noop"},
    }

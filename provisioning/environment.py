"""What provisioning leaves for the suites: where everything is, and what could not be made."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from access.endpoint import SshEndpoint


@dataclass(frozen=True)
class Guest:
    """An instance."""

    name: str
    """As the cloud file names it."""
    flavor: str
    server_id: str | None = None
    endpoint: dict[str, Any] | None = None
    """SshEndpoint as plain data; None if it cannot be reached."""
    failure: str | None = None
    """Why its stack is not complete; None if it is."""

    def ssh(self) -> SshEndpoint | None:
        """How to log in."""
        return SshEndpoint.model_validate(self.endpoint) if self.endpoint else None


@dataclass(frozen=True)
class CycleTrouble:
    """What went wrong when all cards were given back and taken again."""

    host: str
    cycle: int
    """In which round, from 1 on."""
    kind: str
    """reset (a device did not come back from it), asleep (it does not wake up), instance (it did not stop or start)."""
    what: str
    """The device's address, or what Nova said of which instance."""


@dataclass(frozen=True)
class Cycles:
    """How often all cards were given back and taken again."""

    wanted: int
    made: int
    troubles: tuple[CycleTrouble, ...]
    """Of the last round that was made; none where all went well."""
    missing: str = ""
    """Why there were none, which says nothing about the cloud."""

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Cycles:
        """From plain data."""
        return cls(**{**data, "troubles": tuple(CycleTrouble(**each) for each in data["troubles"])})


@dataclass(frozen=True)
class Environment:
    """A provisioned cloud."""

    undercloud: dict[str, Any] | None = None
    node_addresses: dict[str, str] = field(default_factory=dict)
    credentials_file: str | None = None
    """JSON file, mode 0600, with the OS_* variables of admin and tenant."""
    image_id: str | None = None
    flavor_ids: dict[str, str] = field(default_factory=dict)
    project_id: str | None = None
    guests: tuple[Guest, ...] = ()
    failures: dict[str, str] = field(default_factory=dict)
    """Message by step; steps after a failed one are not there."""
    left_over: tuple[str, ...] = ()
    """What tests of ended runs left, by kind and name, and nobody could remove."""
    seconds: dict[str, float] = field(default_factory=dict)
    cycles: Cycles | None = None
    """None where none were asked for."""

    def to_json(self) -> str:
        """As text, for other workers and later runs."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Environment:
        """From `to_json`."""
        data = json.loads(text)
        data["guests"] = tuple(Guest(**guest) for guest in data["guests"])
        data["left_over"] = tuple(data.get("left_over", ()))
        data["cycles"] = Cycles.from_data(data["cycles"]) if data.get("cycles") else None
        return cls(**data)

    def guest(self, name: str) -> Guest:
        """The guest of that name; an empty one if it was never made."""
        return next((guest for guest in self.guests if guest.name == name), Guest(name, ""))

    def credentials(self, owner: str) -> dict[str, str]:
        """OS_* variables of `admin` or `tenant`; empty if provisioning ended before."""
        if self.credentials_file is None:
            return {}
        return dict(json.loads(Path(self.credentials_file).read_text(encoding="utf-8")).get(owner, {}))

"""A machine that somebody named, and how it is reached: what all ways of naming machines have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from access.endpoint import Bastion


@dataclass(frozen=True)
class Access:
    """How one machine is reached; None where its source does not say it."""

    user: str | None = None
    port: int | None = None
    key_file: str | None = None
    known_hosts: str | None = None
    bastions: tuple[Bastion, ...] = ()
    """Hosts to go through, the nearest first; without them as ssh_config says."""

    def or_else(self, other: Access) -> Access:
        """With the other's values where this one says nothing."""
        return Access(
            self.user or other.user,
            self.port or other.port,
            self.key_file or other.key_file,
            self.known_hosts or other.known_hosts,
            self.bastions or other.bastions,
        )


@dataclass(frozen=True)
class Machine:
    """A machine of an inventory, of a cluster, or of Nova."""

    name: str
    """As its source calls it."""
    address: str
    access: Access = field(default_factory=Access)
    groups: frozenset[str] = frozenset()
    """Groups or labels that its source puts it into."""

    @property
    def short_name(self) -> str:
        """The name up to the first dot, in small letters."""
        return self.name.split(".")[0].lower()


@dataclass(frozen=True)
class Named:
    """What a source names."""

    machines: tuple[Machine, ...]
    questions: tuple[str, ...] = ()
    """What it has and cannot be used, in words of a question."""


def usual_access(machines: Iterable[Machine]) -> Access:
    """The access that most machines have: a cloud file has one for all."""
    counted = Counter(machine.access for machine in machines)
    return counted.most_common(1)[0][0] if counted else Access()


def with_access(machines: Sequence[Machine], fallback: Access) -> tuple[Machine, ...]:
    """The machines with an access that fills what their source left open."""
    return tuple(replace(machine, access=machine.access.or_else(fallback)) for machine in machines)


def shown_path(path: str | None) -> str | None:
    """A path of this user as a cloud file had better have it: with ~ for the home folder."""
    if path is None:
        return None
    home = str(Path.home())
    return "~" + path.removeprefix(home) if home != "/" and path.startswith(home + "/") else path


LISTED = 12
"""Names that a question lists before it says how many more there are."""


def listed(names: Sequence[str]) -> str:
    """Names for a reader: all of a few, else the first and how many more."""
    shown = ", ".join(names[:LISTED])
    return shown if len(names) <= LISTED else f"{shown} and {len(names) - LISTED} more"

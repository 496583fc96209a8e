"""The tenant, its flavors and its instances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from access.endpoint import Section
from cloud_file.sections.values import Line, Listed, Name, Positive, SecretReference


class Flavor(Section):
    """A flavor that asks for cards by alias."""

    name: Name
    vcpus: Positive
    memory_mb: Positive
    disk_gb: Positive
    """Root disk. Nova refuses to boot an image on a flavor with none unless policy allows it."""
    aliases: Mapping[Name, Positive]
    extra_specs: Mapping[Line, Line] = Field(default_factory=dict)
    public: bool = False

    @property
    def pci_alias(self) -> str:
        """The extra spec's value, e.g. `a1:2`."""
        return ",".join(f"{alias}:{count}" for alias, count in self.aliases.items())


class Quota(Section):
    """What the tenant may use."""

    cores: Positive
    memory_mb: Positive
    instances: Positive


class Tenant(Section):
    """Project and user that own the instances."""

    project: Name
    user: Name
    password: SecretReference | None = None
    """Without it one is made and kept in the run's directory, mode 0600."""
    domain: Line = "Default"
    roles: Annotated[tuple[Listed, ...], Field(min_length=1)] = ("member",)
    """Heat asks for `member`; clouds of the time call it `_member_`."""
    quota: Quota


class DeclaredGuest(Section):
    """An instance that the tenant stack makes."""

    name: Name
    flavor: Name

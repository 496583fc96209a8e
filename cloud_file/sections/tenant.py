"""The tenant, its flavors and its instances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from access.endpoint import Section
from cloud_file.sections.values import KeystoneName, Line, Listed, Name, Positive, SecretReference


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
    """Project and user that own the instances: made for the run, or ones that exist."""

    project: KeystoneName
    """Its name; where it is made, the cloud file's prefix comes before it."""
    user: KeystoneName
    """Its name, as the project's."""
    existing: bool = False
    """Use this project and user, by exactly these names: neither they nor the quota is made, changed or removed."""
    password: SecretReference | None = None
    """Without it one is made and kept in the run's directory, mode 0600; an existing user needs it, or `cloud`."""
    cloud: Line | None = None
    """How an existing user logs in: a name in the clouds.yaml of openstacksdk, e.g. with an application credential."""
    domain: Line = "Default"
    """Domain of project and user, by name; the administrator may be of another one."""
    roles: Annotated[tuple[Listed, ...], Field(min_length=1)] = ("member",)
    """Heat asks for `member`; clouds of the time call it `_member_`."""
    quota: Quota | None = None
    """What the project may use; an existing project keeps its own."""


class DeclaredGuest(Section):
    """An instance that the tenant stack makes."""

    name: Name
    flavor: Name
    each_host: Name | None = None
    """In place of name and flavor: a flavor, of which each host gets as many instances as it has the cards for."""
    availability_zone: Line | None = None
    """Where Nova shall put it: ZONE, or ZONE:HOST for administrators; with each_host, {host} stands for the host."""
    volume_gb: Positive | None = None
    """Boot from a volume of this size, made from the image and deleted with the instance; without it from the image."""

"""The GPU image and its registration."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from access.endpoint import Port, Section
from cloud_file.sections.values import (
    Line,
    Name,
    PackageName,
    Positive,
    RemotePath,
    RepositoryId,
    SecretReference,
    UnixUser,
)


class Registration(Section):
    """Subscription of the image while it is customized."""

    organization: SecretReference | None = None
    activation_key: SecretReference | None = None
    user: SecretReference | None = None
    password: SecretReference | None = None
    pool: Line | None = None


class Image(Section):
    """The GPU image, made on the undercloud from a distribution's image."""

    name: Name
    base: RemotePath | None = None
    """qcow2 on the undercloud; without it the image must be in Glance already."""
    packages: tuple[PackageName, ...] = ("gcc", "make", "pciutils", "wget")
    """Packages beside kernel-devel and kernel-headers, whose version follows the image's kernel."""
    registration: Registration | None = None
    repositories: tuple[RepositoryId, ...] = ()
    ssh_user: UnixUser = "cloud-user"
    ssh_port: Port = 22
    properties: Mapping[Line, Line] = Field(default_factory=dict)
    timeout_min: Positive = 30

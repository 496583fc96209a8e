"""How the cloud is deployed, and where its services read their configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from access.endpoint import Section
from cloud_file.sections.values import FilterName, KernelArguments, Name, Positive, RemotePath


class Deploy(Section):
    """The overcloud deploy on the undercloud."""

    stack: Name = "overcloud"
    templates: RemotePath = "/usr/share/openstack-tripleo-heat-templates"
    working_directory: RemotePath = "gpu-acceptance"
    """Where our files go on the undercloud, below the user's home when relative."""
    environment_files: tuple[RemotePath, ...] = ()
    """Your own environment files on the undercloud (networks, storage …), before ours."""
    roles_file: RemotePath | None = None
    timeout_min: Positive = 90
    puppet_modules: RemotePath | None = None
    """Directory on the undercloud with a puppet-nova that has the PCI fixes; only for releases that need it."""
    kernel_args: KernelArguments | None = None
    """Kernel arguments beside those for the IOMMU."""
    scheduler_filters: tuple[FilterName, ...] | None = None
    """Instead of the release's own list with the PCI and NUMA filters added."""
    parameters: Mapping[str, Any] = Field(default_factory=dict)
    """More of parameter_defaults."""


class NovaPlaces(Section):
    """Where Nova's services read their configuration, if it is not where the deployer keeps it."""

    api_conf: RemotePath | None = None
    compute_conf: RemotePath | None = None
    container_engine: Literal["docker", "podman"] | None = None
    """Nova's services run in containers of this engine, named as the deployer's file says."""

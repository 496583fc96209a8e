"""How a cloud's machines are reached: by its file, and by the user's own ssh_config where that says more."""

from __future__ import annotations

from access.ssh import RemoteHost
from access.ssh_config import SshConfig
from access.ssh_ways import SshWays
from cloud_file.cloud import Cloud

NO_FILE = "none"


def ways_of(cloud: Cloud) -> SshWays:
    """Opens connections to a cloud's machines.

    Raises:
        InputError: the cloud file names an ssh_config that is not there.
    """
    if cloud.kind == "lab" or str(cloud.ssh_config) == NO_FILE:
        return SshWays()
    return SshWays(SshConfig(cloud.ssh_config))


def undercloud_of(cloud: Cloud) -> RemoteHost | None:
    """The undercloud; None where the cloud file names none."""
    return ways_of(cloud).open("undercloud", cloud.undercloud) if cloud.undercloud else None

"""How hosts and APIs are reached."""

from __future__ import annotations

from access.endpoint import ExpandedPath, LoginName, Port, Section
from cloud_file.sections.values import Line, RemotePath


class HostAccess(Section):
    """How overcloud nodes are reached; their addresses come from the undercloud or from the host's entry."""

    user: LoginName = "heat-admin"
    port: Port = 22
    key_file: ExpandedPath | None = None
    known_hosts: ExpandedPath | None = None
    via_undercloud: bool = False


class OpenStackAccess(Section):
    """Administrator's access to the cloud: one of the two."""

    cloud: Line | None = None
    """A name in the clouds.yaml of openstacksdk."""
    rc_file: RemotePath | None = None
    """An rc file on the undercloud, e.g. /home/stack/overcloudrc."""

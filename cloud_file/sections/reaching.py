"""How hosts and APIs are reached."""

from __future__ import annotations

from access.endpoint import ExpandedPath, Port, Section


class HostAccess(Section):
    """How overcloud nodes are reached; their addresses come from the undercloud or from the host's entry."""

    user: str = "heat-admin"
    port: Port = 22
    key_file: ExpandedPath | None = None
    known_hosts: ExpandedPath | None = None
    via_undercloud: bool = False


class OpenStackAccess(Section):
    """Administrator's access to the cloud: one of the two."""

    cloud: str | None = None
    """A name in the clouds.yaml of openstacksdk."""
    rc_file: str | None = None
    """An rc file on the undercloud, e.g. /home/stack/overcloudrc."""

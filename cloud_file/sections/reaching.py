"""How hosts, instances and APIs are reached."""

from __future__ import annotations

from typing import Literal

from access.endpoint import Bastion, ExpandedPath, LoginName, Port, Section
from cloud_file.sections.values import Line, RemotePath


class HostAccess(Section):
    """How overcloud nodes are reached; their addresses come from the undercloud or from the host's entry.

    What is left out is taken from ssh_config, where that has it.
    """

    user: LoginName = "heat-admin"
    port: Port = 22
    key_file: ExpandedPath | None = None
    """Private key; without it the SSH agent and the user's default keys are tried."""
    certificate_file: ExpandedPath | None = None
    """The key's certificate, where it is not KEY-cert.pub beside it."""
    known_hosts: ExpandedPath | None = None
    """File with the hosts' keys; without it the user's own known_hosts."""
    via_undercloud: bool = False
    """Reach them through the undercloud."""
    bastions: tuple[Bastion, ...] = ()
    """Reach them through these hosts, the nearest first; without them as ProxyJump or ProxyCommand says."""


class GuestAccess(Section):
    """How instances are reached."""

    address: Literal["floating", "fixed"] | None = None
    """A floating IP, or the address that the instance has on its network, which then must be reachable from here or
    from the last bastion. Without it: floating where `networks.external` is given, otherwise fixed."""
    bastions: tuple[Bastion, ...] = ()
    """Reach them through these hosts, the nearest first."""


class OpenStackAccess(Section):
    """Administrator's access to the cloud: one of `cloud` and `rc_file`. The other keys come before what these say."""

    cloud: Line | None = None
    """A name in the clouds.yaml of openstacksdk: user, application credential or token, any domain, its CA."""
    rc_file: RemotePath | None = None
    """An rc file on the undercloud, e.g. /home/stack/overcloudrc."""
    region: Line | None = None
    """Region of the catalog, where the cloud has several."""
    interface: Literal["public", "internal", "admin"] | None = None
    """Which of the catalog's endpoints are used."""
    cacert: ExpandedPath | None = None
    """File here with the authority's certificate, for APIs with TLS of a private CA."""
    verify: bool | None = None
    """`false`: the certificates of the APIs are not checked, and nobody knows who reads the passwords."""
    heat: bool | None = None
    """Whether Heat makes the tenant's resources; `false`: the services' own APIs do, as on a cloud without Heat.
    Without it Heat does where the catalog has it and its templates fit."""

"""Where a host answers SSH, and with which user and key."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints


def _expanded(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return Path(os.path.expandvars(value)).expanduser()
    except RuntimeError as error:  # ~somebody
        raise ValueError(str(error)) from error


ExpandedPath = Annotated[Path, BeforeValidator(_expanded)]
"""A path on this machine; `~` and `$VARIABLES` are expanded."""
Port = Annotated[int, Field(gt=0, lt=65536, strict=True)]
Address = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_:][A-Za-z0-9_.:%-]*$", max_length=255)]
"""A name, or an address of IPv4 or IPv6."""
LoginName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@\\-]*$", max_length=100)]
"""Of SSH; also DOMAIN\\user and user@domain."""


class Section(BaseModel):
    """A part of a file that a user writes: unknown keys are mistakes, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class Bastion(Section):
    """A host that others are reached through, as with `ssh -J`. What is left out is ssh_config's, or ssh's default."""

    address: Address
    """Its address, or its name in ssh_config."""
    port: Port | None = None
    user: LoginName | None = None
    """Without it ssh_config's, or the name of who runs the suite."""
    key_file: ExpandedPath | None = None
    """Private key; without it the SSH agent and the user's default keys are tried."""
    certificate_file: ExpandedPath | None = None
    """The key's certificate, where it is not KEY-cert.pub beside it."""
    known_hosts: ExpandedPath | None = None
    """File with its host key; without it the user's own known_hosts."""


class SshEndpoint(Section):
    """How one machine is reached over SSH."""

    address: Address
    """Its address, or its name in ssh_config."""
    port: Port = 22
    user: LoginName = "stack"
    key_file: ExpandedPath | None = None
    """Private key; without it the SSH agent and the user's default keys are tried."""
    certificate_file: ExpandedPath | None = None
    """The key's certificate, where it is not KEY-cert.pub beside it."""
    known_hosts: ExpandedPath | None = None
    """File with the host's key; without it the user's own known_hosts."""
    via_undercloud: bool = False
    """Reach it through the undercloud, as `ssh -J` does."""
    bastions: tuple[Bastion, ...] = ()
    """Reach it through these hosts, the nearest first; without them as ssh_config's ProxyJump or ProxyCommand says."""

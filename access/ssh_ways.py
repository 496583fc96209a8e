"""Opens connections to machines as the user's own ssh would; each bastion is connected to once."""

from __future__ import annotations

import getpass
import threading

from access.endpoint import Bastion, SshEndpoint
from access.errors import ConnectError
from access.ssh import RemoteHost
from access.ssh_config import SshConfig, login_of

MOST_HOPS = 8
"""Bastions behind each other; more are a ring in ssh_config."""


class SshWays:
    """Connections of one cloud; a host key is checked at every hop."""

    def __init__(self, config: SshConfig | None = None) -> None:
        self._config = config
        self._bastions: dict[tuple[str, RemoteHost | None], RemoteHost] = {}
        self._lock = threading.Lock()
        """Machines are opened side by side, and share their bastions."""

    def open(
        self, name: str, endpoint: SshEndpoint, *, via: RemoteHost | None = None, default_user: str = ""
    ) -> RemoteHost:
        """A machine, connected to at its first use; `via` is a machine that it is reached through instead of bastions.

        Raises:
            ConnectError: ssh refuses its configuration, or bastions lead in a ring.
        """
        login = login_of(endpoint, self._config, default_user=default_user)
        with self._lock:
            through = via or self._through(login.bastions, hops=0)
        return RemoteHost(name, endpoint, via=through, login=login)

    def close(self) -> None:
        """End the connections to bastions."""
        for bastion in self._bastions.values():
            bastion.close()

    def _through(self, bastions: tuple[Bastion, ...], hops: int) -> RemoteHost | None:
        through: RemoteHost | None = None
        for bastion in bastions:
            through = self._bastion(bastion, through, hops + 1)
        return through

    def _bastion(self, bastion: Bastion, via: RemoteHost | None, hops: int) -> RemoteHost:
        if hops > MOST_HOPS:
            raise ConnectError(
                f"more than {MOST_HOPS} bastions behind each other, the last one {bastion.address}",
                remedy="does ProxyJump of ssh_config lead in a ring?",
            )
        key = (bastion.model_dump_json(), via)
        if key not in self._bastions:
            endpoint = SshEndpoint(**bastion.model_dump(exclude_none=True))
            login = login_of(endpoint, self._config, default_user=getpass.getuser())
            # as ssh: of several hops only the first one's own ProxyJump counts, and `Host *` makes none its own bastion
            own = tuple(item for item in login.bastions if item.address != bastion.address)
            before = via or self._through(own, hops)
            name = f"the bastion {bastion.address}"
            self._bastions[key] = RemoteHost(name, endpoint, via=before, login=login)
        return self._bastions[key]

"""The cards that a test may use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from access.errors import NotVerified
from cloud_file.cloud import Cloud
from probes.openstack import held_cards
from provisioning.scenario.card_pool import CardPool, Need, everything, move, nothing, one, some, together
from provisioning.scenario.own_resources import NAME_MARK


class Cards:
    """The cards that a test may use: lease them once, before anything is made.

    Every method raises NotVerified if the cloud has not enough free cards.
    """

    def __init__(self, cloud: Cloud, admin: Any, pool: CardPool, token: str, left_over: Sequence[str] = ()) -> None:
        self.cloud = cloud
        self.admin = admin
        self.pool = pool
        self.token = token
        self.left_over = left_over
        """What ended runs left and nobody could remove: it may have cards."""

    def none(self) -> None:
        """Only room for instances without a card."""
        self.pool.lease(self.token, nothing(self.free()))

    def one(self) -> None:
        """One card on any host."""
        self._lease(one(self.free()), "one card")

    def some(self, count: int) -> None:
        """`count` cards wherever they are."""
        self._lease(some(self.free(), count), f"{count} cards")

    def together(self, count: int) -> None:
        """`count` cards on the same host."""
        self._lease(together(self.free(), count), f"{count} cards on one host")

    def move(self, count: int = 1) -> None:
        """`count` cards on one host and as many on another."""
        self._lease(move(self.free(), count), f"{count} cards on each of two hosts")

    def all(self, *, at_least: int = 1, to_move: int = 0) -> dict[str, int]:
        """Lease every free card and the whole cloud; returns the cards by host.

        With `to_move` two hosts must have as many cards each.
        """
        free = self.free()
        if sum(free.values()) < at_least:
            self._not_enough("a free card", free)
        if to_move and move(free, to_move).others < 0:
            self._not_enough(f"{to_move} cards on each of two hosts", free)
        self._lease(everything(free), "all cards")
        return free

    def _lease(self, need: Need, what: str) -> None:
        if need.others < 0:
            self._not_enough(what, self.free())
        self.pool.lease(self.token, need)

    def _not_enough(self, what: str, free: dict[str, int]) -> NoReturn:
        total = sum(host_cards(self.cloud).values())
        left = f" Ended runs left {', '.join(self.left_over)}." if self.left_over else ""
        raise NotVerified(
            f"not verified: needs {what}; of {total} declared cards these are free: {free}. "
            f"Give back the others' instances, or run the lifecycle suites alone.{left}"
        )

    def free(self) -> dict[str, int]:
        """Cards by host without an instance; instances of running tests do not count."""
        free, live = host_cards(self.cloud), self.pool.live_tokens()
        for holder in held_cards.read(self.admin):
            ours = any(f"{NAME_MARK}{token}" in holder.name for token in live)
            if holder.host in free and not ours:
                free[holder.host] -= holder.cards
        return free


def host_cards(cloud: Cloud) -> dict[str, int]:
    """Declared cards by host."""
    return {host.name: sum(gpu.count for gpu in host.gpus) for host in cloud.computes if host.gpus}

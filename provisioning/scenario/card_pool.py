"""Which cards a test may count on, across workers: a queue and leases in one locked file.

Nobody chooses the host of an instance but Nova. So a lease says how many cards its test has at most at a time, on all
hosts and on one of them, and how many cards others may have, wherever they lie, such that the test still finds what it
needs. A lease is given when this holds for it and for all others. First come, first served. A test whose instances have
no card has a lease, too: beside one that needs the whole cloud it would find no memory, or be in the way.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from access.waiting import wait_for

WAIT_TIMEOUT_S = 3600.0


@dataclass(frozen=True)
class Need:
    """What a test needs of the cloud's cards. It finds it while all other leases together keep one of two limits."""

    peak: int
    """Cards that it has at most at a time."""
    peak_on_a_host: int
    others: int
    """How many cards the others may have; negative when the cloud never has enough."""
    others_on_a_host: int
    """How many cards the others may have on any one host, however many that are together."""
    is_alone: bool = False
    """It has the cloud for itself: no other lease, with cards or without."""

    def is_met_beside(self, others: Iterable[Need]) -> bool:
        """Whether it finds its cards wherever those of the others lie."""
        beside = list(others)
        if self.is_alone:
            return not beside
        return (
            sum(other.peak for other in beside) <= self.others
            or sum(other.peak_on_a_host for other in beside) <= self.others_on_a_host
        )


def nothing(free: Mapping[str, int]) -> Need:
    """Instances without a card: others may have all."""
    return some(free, 0)


def one(free: Mapping[str, int]) -> Need:
    """One card on any host. `free` is the number of cards by host that no instance of somebody else has."""
    return some(free, 1)


def some(free: Mapping[str, int], count: int) -> Need:
    """`count` cards wherever they are."""
    on_a_host = _most(free, lambda taken: sum(max(0, cards - taken) for cards in free.values()) >= count)
    return Need(count, count, sum(free.values()) - count, on_a_host)


def together(free: Mapping[str, int], count: int) -> Need:
    """`count` cards on the same host, whichever."""
    return _on_hosts(free, count, 1)


def move(free: Mapping[str, int], count: int) -> Need:
    """`count` cards on a host, and as many on another one at the same time."""
    return _on_hosts(free, count, 2)


def everything(free: Mapping[str, int]) -> Need:
    """All free cards, and nobody else has an instance, not even one without a card."""
    return Need(sum(free.values()), max(free.values(), default=0), 0, 0, is_alone=True)


def _on_hosts(free: Mapping[str, int], count: int, hosts: int) -> Need:
    """`count` cards on each of so many hosts: the others leave it room while they fill fewer hosts than that spares."""
    to_fill = sorted(max(0, cards - count + 1) for cards in free.values())
    spared = len(to_fill) - hosts
    on_a_host = _most(free, lambda taken: sum(cards - taken >= count for cards in free.values()) >= hosts)
    return Need(hosts * count, count, sum(to_fill[: spared + 1]) - 1 if spared >= 0 else -1, on_a_host)


def _most(free: Mapping[str, int], is_enough: Callable[[int], bool]) -> int:
    """The largest number of cards that may be taken on every host; -1 for none."""
    return max((taken for taken in range(max(free.values(), default=0) + 1) if is_enough(taken)), default=-1)


class CardPool:
    """The queue and the leases of one cloud; every operation looks at the file again."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def _locked(self) -> Iterator[dict[str, list[dict[str, Any]]]]:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self.path.open("a+") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            stream.seek(0)
            data: dict[str, list[dict[str, Any]]] = json.loads(stream.read() or '{"queue": [], "leases": []}')
            for key in data:  # a worker that was killed gives its leases back
                data[key] = [item for item in data[key] if _is_alive(item["pid"])]
            yield data
            stream.seek(0)
            stream.truncate()
            stream.write(json.dumps(data))

    def live_tokens(self) -> frozenset[str]:
        """Tokens of all leases whose worker lives."""
        with self._locked() as data:
            return frozenset(item["token"] for item in data["leases"])

    def lease(self, token: str, need: Need) -> None:
        """Wait for its turn and for the cards.

        Raises:
            WaitTimeout: others kept them for an hour.
        """
        with self._locked() as data:
            data["queue"].append({"token": token, "pid": os.getpid()})
        try:
            wait_for(
                f"{need.peak} cards",
                lambda: self._try(token, need),
                bool,
                timeout_s=WAIT_TIMEOUT_S,
                interval_s=0.1,
                longest_interval_s=0.1,
                describe=lambda given: "given" if given else "others have them",
            )
        finally:
            with self._locked() as data:
                data["queue"] = [item for item in data["queue"] if item["token"] != token]

    def _try(self, token: str, need: Need) -> bool:
        with self._locked() as data:
            if data["queue"] and data["queue"][0]["token"] != token:
                return False
            leases = [*data["leases"], {"token": token, "pid": os.getpid(), "need": asdict(need)}]
            needs = [Need(**item["need"]) for item in leases]
            if not all(each.is_met_beside(needs[:place] + needs[place + 1 :]) for place, each in enumerate(needs)):
                return False
            data["leases"] = leases
            return True

    def give_back(self, token: str) -> None:
        """End a lease; one that is not there is fine."""
        with self._locked() as data:
            data["leases"] = [item for item in data["leases"] if item["token"] != token]


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

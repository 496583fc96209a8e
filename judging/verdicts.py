"""How a suite judges: it rejects, with a cause by a stable name and what to change, or says that it cannot tell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from access.errors import NotVerified, Rejected
from judging.device_views import Disagreement
from probes.openstack.pci_claims import PciClaim

MEND = {
    "card-stays-claimed": "restart nova-compute there: it frees the claims of instances that are gone; else hard-reboot the instance",
    "domain-without-claim": "hard-reboot the instance: Nova writes its domain again from the claims",
    "double-claim": "stop one of the instances and hard-reboot it: Nova writes its domain again from the claims",
    "device-without-vfio": "hard-reboot the instance; what bound the device to another driver on the host?",
    "domain-with-a-missing-device": "the card left the bus: power-cycle the host, then hard-reboot the instance",
    "stale-row": "restart nova-compute there; a stale row that is claimed needs its instance deleted first",
    "gpu-not-offered": "compare device_spec with lspci -nn, then restart nova-compute there",
    "allocation-missing": "nova-manage placement heal_allocations",
    "orphaned-allocation": "nova-manage placement audit --verbose --delete",
    "placement-has-another-claim": "nova-manage placement heal_allocations; restart nova-compute there",
}
"""What to do about two sides that disagree, by the cause."""


def require(good: object, cause: str, what: str, *, fix: str, file: str = "", line_number: int | None = None) -> None:
    """Go on when `good` is true.

    Raises:
        Rejected: it is not; `what` was found, `fix` says what to change, in `file` of the host where that is known.
    """
    if not good:
        raise Rejected(cause, what, fix=fix, file=file, line_number=line_number)


def require_agreement(found: Iterable[Disagreement]) -> None:
    """Go on when sysfs, hypervisor, Nova and Placement tell the same.

    Raises:
        Rejected: they do not; the cause is that of the first disagreement.
    """
    disagreements = list(found)
    for first in disagreements[:1]:
        told = "; ".join(map(str, disagreements))
        raise Rejected(first.cause, told[:2000], fix=MEND[first.cause])


def require_cards(shown: Sequence[str], count: int, when: str) -> None:
    """Go on when an instance shows so many cards.

    Raises:
        Rejected: it shows others; `shown` has their product ids.
    """
    require(
        len(shown) == count,
        "other-cards-than-requested",
        f"{when} the guest shows {list(shown)}, its flavor asks for {count}",
        fix="compare the instance's PCI requests with its host's pci_devices; see nova-compute.log there",
    )


def require_attached(attached: Sequence[str], count: int, when: str) -> None:
    """Go on when an instance's domain has so many devices; `attached` has host and address of each.

    Raises:
        Rejected: it has another number.
    """
    require(
        len(attached) == len(set(attached)) == count,
        "other-devices-in-the-domain",
        f"{when} its domain has {list(attached)}, its flavor asks for {count}",
        fix="compare virsh dumpxml with Nova's pci_devices; a hard reboot writes the domain again from the claims",
    )


def require_unchanged(before: object, after: object, what: str, when: str) -> None:
    """Go on when something of an instance is as it was.

    Raises:
        Rejected: it is not.
    """
    require(
        before == after,
        "instance-changed",
        f"{when} {what} is {after}, before it was {before}",
        fix="see the instance's actions (openstack server event list) and nova-compute.log of its host",
    )


def require_freed(claims: Iterable[PciClaim], server_id: str) -> None:
    """Go on when Nova has no card claimed for an instance that is gone.

    Raises:
        Rejected: it has.
    """
    left = [f"{item.host} {item.address}" for item in claims if item.instance_id == server_id]
    require(not left, "card-stays-claimed", f"Nova still has claimed for it: {left}", fix=MEND["card-stays-claimed"])


def require_not_shared(first: Sequence[str], second: Sequence[str]) -> None:
    """Go on when two instances have no device in common; each has host and address of its devices.

    Raises:
        Rejected: they share one.
    """
    shared = set(first) & set(second)
    require(not shared, "double-claim", f"both have {shared}", fix=MEND["double-claim"])


def require_refused(is_refused: bool, refusal: str, asked: str, *, cause: str, fix: str) -> None:
    """Go on when a request was refused as it should be; `refusal` is "" when it was carried out.

    Raises:
        Rejected: it was carried out, or refused with other words.
    """
    require(is_refused, cause, f"{asked} gave: {refusal or 'what was asked for'}; expected is a refusal", fix=fix)


class Finding(Protocol):
    """One thing that is wrong."""

    @property
    def cause(self) -> str:
        """Stable name."""

    @property
    def what(self) -> str:
        """What was found."""

    @property
    def fix(self) -> str:
        """What to change."""


def require_none(found: Sequence[Finding]) -> None:
    """Go on when nothing was found.

    Raises:
        Rejected: something was; the first, which is the most telling, gives cause and fix.
    """
    if found:
        raise Rejected(found[0].cause, "; ".join(finding.what for finding in found), fix=found[0].fix)


def require_known(unknown: Sequence[str], *, remedy: str) -> None:
    """Go on when nothing is `unknown`.

    Raises:
        NotVerified: something is: the check is neither passed nor failed.
    """
    if unknown:
        raise NotVerified(f"not known: {', '.join(unknown)}\n  what to do: {remedy}")

"""How a suite judges: it rejects, with a cause by a stable name and what to change, or says that it cannot tell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from access.errors import NotVerified
from judging.causes import rejected
from judging.device_views import Disagreement
from probes.openstack.pci_claims import PciClaim


def require(
    good: object, cause: str, what: str, *, file: str = "", line_number: int | None = None, **values: object
) -> None:
    """Reject the cloud unless `good`.

    `cause` is one of judging/causes, `values` fill the words in braces of its fix.

    Raises:
        Rejected: `what` was found, to be fixed in `file` of the host where that is known.
    """
    if not good:
        raise rejected(cause, what, file=file, line_number=line_number, **values)


def require_agreement(found: Iterable[Disagreement]) -> None:
    """Reject the cloud unless sysfs, hypervisor, Nova and Placement tell the same.

    Raises:
        Rejected: they do not; the cause is that of the first disagreement.
    """
    disagreements = list(found)
    for first in disagreements[:1]:
        told = "; ".join(map(str, disagreements))
        raise rejected(first.cause, told[:2000])


def require_cards(shown: Sequence[str], count: int, when: str) -> None:
    """Reject the cloud unless an instance shows so many cards.

    Raises:
        Rejected: it shows others; `shown` has their product ids.
    """
    require(
        len(shown) == count,
        "other-cards-than-requested",
        f"{when} the guest shows {list(shown)}, its flavor asks for {count}",
    )


def require_attached(attached: Sequence[str] | None, count: int, when: str) -> None:
    """Reject the cloud unless an instance's domain has so many devices; `attached` has host and address of each.

    None is a hypervisor that this cloud does not show: as with every such side, nothing is compared.

    Raises:
        Rejected: it has another number.
    """
    if attached is None:
        return
    require(
        len(attached) == len(set(attached)) == count,
        "other-devices-in-the-domain",
        f"{when} its domain has {list(attached)}, its flavor asks for {count}",
    )


def require_unchanged(before: object, after: object, what: str, when: str) -> None:
    """Reject the cloud unless something of an instance is as it was.

    Raises:
        Rejected: it is not.
    """
    require(
        before == after,
        "instance-changed",
        f"{when} {what} is {after}, before it was {before}",
    )


def require_freed(claims: Iterable[PciClaim], server_id: str) -> None:
    """Reject the cloud if Nova has a card claimed for an instance that is gone.

    Raises:
        Rejected: it has.
    """
    left = [f"{item.host} {item.address}" for item in claims if item.instance_id == server_id]
    require(not left, "card-stays-claimed", f"Nova still has claimed for it: {left}")


def require_not_shared(first: Sequence[str] | None, second: Sequence[str] | None) -> None:
    """Reject the cloud if two instances have a device in common; each has host and address of its devices.

    Raises:
        Rejected: they share one.
        NotVerified: the hypervisor is not shown.
    """
    if first is None or second is None:
        raise NotVerified("not verified: the hypervisor is not shown, which alone tells whose device is whose")
    shared = set(first) & set(second)
    require(not shared, "double-claim", f"both have {shared}")


def require_refused(is_refused: bool, refusal: str, asked: str, *, cause: str) -> None:
    """Reject the cloud unless a request was refused as it should be; `refusal` is "" when it was carried out.

    Raises:
        Rejected: it was carried out, or refused with other words.
    """
    require(is_refused, cause, f"{asked} gave: {refusal or 'what was asked for'}; expected is a refusal")


class Finding(Protocol):
    """One thing that is wrong."""

    @property
    def cause(self) -> str:
        """Stable name."""

    @property
    def what(self) -> str:
        """What was found."""


def require_none(found: Sequence[Finding]) -> None:
    """Reject the cloud if anything was found.

    Raises:
        Rejected: something was; the first, which is the most telling, gives cause and fix (with its `values`).
    """
    if found:
        words = getattr(found[0], "values", {})
        raise rejected(found[0].cause, "; ".join(finding.what for finding in found), **words)


def require_known(unknown: Sequence[str], *, remedy: str) -> None:
    """Leave the check not verified if anything is `unknown`.

    Raises:
        NotVerified: something is: the check is neither passed nor failed.
    """
    if unknown:
        raise NotVerified(f"not known: {', '.join(unknown)}\n  what to do: {remedy}")

"""From the driver's own lines in the kernel log to findings: why it took no card, and what its Xids ask for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from access.data_files import read_data
from judging.finding import Finding
from probes.kernel_log import SwitchError, Xid
from probes.references.architectures import architectures
from probes.references.products import nvidia_products
from probes.references.xids import REJECTING

FILE = Path(__file__).parent / "driver_words.yaml"
PRODUCT = re.compile(r"PCI ID: 10de:([0-9a-f]{4})\b")
BRANCH = re.compile(r"(?:NVIDIA|by the) ([0-9]{3})\.[0-9]{1,3}")
WITH_CONFIDENTIAL_COMPUTING = ("hopper", "blackwell")
"""Architectures with a mode in which a driver that is not prepared for it finds them unsupported.

https://docs.nvidia.com/confidential-computing-deployment-guide.pdf
"""
BRANCH_TOO_OLD, OTHER_MODE, OTHER_KIND = (
    "branch-before-this-model",
    "confidential-computing-mode",
    "driver-of-another-kind",
)
SHOWN_LINES = 4
LIMIT_CHARS = 800


@dataclass(frozen=True)
class _Reason:
    cause: str
    """"" where card and branch decide."""
    words: re.Pattern[str]


def findings(lines: Sequence[str]) -> list[Finding]:
    """Reasons why a card was not taken, the most telling first; nothing where nobody says one."""
    told = [line.strip() for line in lines if not _unless().search(line)]
    found = []
    for reason in _reasons():
        places = [place for place, line in enumerate(told) if reason.words.search(line)]
        said = "; ".join(_with_context(told, places))[:LIMIT_CHARS]
        if places and reason.cause:
            found.append(Finding(reason.cause, said))
        elif places and not any(finding.what and _overlaps(finding, told, places) for finding in found):
            found.append(_by_branch(told, places, said))
    return found


def _with_context(told: Sequence[str], places: Sequence[int]) -> list[str]:
    """The last lines that say it; the driver breaks its sentences, so that the card may stand in one above."""
    shown: dict[int, str] = {}
    for place in places[-SHOWN_LINES:]:
        for near in range(max(0, place - 1), place + 1):
            if near == place or PRODUCT.search(told[near]):
                shown[near] = told[near]
    return [shown[place] for place in sorted(shown)]


def _overlaps(finding: Finding, told: Sequence[str], places: Sequence[int]) -> bool:
    """Whether a more telling reason stands in the same lines."""
    return any(told[place] in finding.what for place in places)


def _by_branch(told: Sequence[str], places: Sequence[int], said: str) -> Finding:
    """ "Not supported by the release": the branch is too old, the card is in another mode, or it is another driver."""
    near = " ".join(told[max(0, places[-1] - 3) : places[-1] + 3])
    product, branch = PRODUCT.search(near), BRANCH.search(near)
    architecture = nvidia_products()[product[1]].architecture if product and product[1] in nvidia_products() else None
    if architecture is None or branch is None:
        return Finding(OTHER_KIND, said)
    first = architectures()[architecture].first_driver_branch
    if int(branch[1]) < first:
        return Finding(BRANCH_TOO_OLD, said, {"branch": first})
    return Finding(OTHER_MODE if architecture in WITH_CONFIDENTIAL_COMPUTING else OTHER_KIND, said)


def of_xids(xids: Sequence[Xid]) -> list[Finding]:
    """Those that speak against a card, the worst first; each card's words, what comes again is counted."""
    counted = Counter((xid.action, xid.number, xid.address) for xid in xids if not xid.is_harmless)
    first = {(xid.action, xid.number, xid.address): xid for xid in reversed(xids)}
    found = []
    for key in sorted(counted, key=lambda key: (REJECTING.index(key[0]), key[1], key[2])):
        xid, times = first[key], f" ({counted[key]} times)" if counted[key] > 1 else ""
        what = f"{xid.action}: Xid {xid.number} at {xid.address} ({xid.name}): {xid.detail[:200]}{times}"
        found.append(Finding(f"xid/{xid.action}", what))
    return found


def urgency(what: str) -> int:
    """Rank of a finding by the action that its words begin with: 0 is the most urgent, and that of all others."""
    action = what.partition(":")[0]
    return REJECTING.index(action) if action in REJECTING else 0


def notes_of_xids(xids: Sequence[Xid]) -> str:
    """What the harmless ones say, for the record; "" where there are none."""
    counted = Counter((xid.number, xid.name) for xid in xids if xid.is_harmless)
    told = [f"{count} x Xid {number} ({name})" for (number, name), count in sorted(counted.items())]
    return f"no evidence against a card: {', '.join(told)}" if told else ""


def of_switches(errors: Sequence[SwitchError]) -> list[Finding]:
    """Errors with which an NVSwitch cannot go on."""
    return [
        Finding("nvswitch-error", f"SXid {error.number} at {error.address}: {error.detail[:200]}")
        for error in errors
        if error.is_fatal
    ]


def known_causes() -> tuple[str, ...]:
    """Every cause that `findings` can name."""
    return (*(reason.cause for reason in _reasons() if reason.cause), BRANCH_TOO_OLD, OTHER_MODE, OTHER_KIND)


@cache
def _reasons() -> tuple[_Reason, ...]:
    return tuple(_Reason(entry.get("cause", ""), re.compile(entry["words"])) for entry in _data()["reasons"])


@cache
def _unless() -> re.Pattern[str]:
    return re.compile(_data()["unless"])


@cache
def _data() -> Any:
    return read_data(FILE)

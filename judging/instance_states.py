"""What each status of an instance means, and Nova's own words for a refusal, as data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

CAUSES = {
    "SHUTOFF": "instance-stopped",
    "STOPPED": "instance-stopped",
    "PAUSED": "instance-paused",
    "SUSPENDED": "instance-suspended",
    "SHELVED": "instance-shelved",
    "SHELVED_OFFLOADED": "instance-shelved",
    "RESCUE": "instance-in-rescue",
    "VERIFY_RESIZE": "instance-resize-not-confirmed",
    "RESIZE": "instance-in-transition",
    "MIGRATING": "instance-in-transition",
    "BUILD": "instance-in-transition",
    "REBUILD": "instance-in-transition",
    "REBOOT": "instance-in-transition",
    "HARD_REBOOT": "instance-in-transition",
    "PASSWORD": "instance-in-transition",
    "REVERT_RESIZE": "instance-in-transition",
    "DELETED": "instance-deleted",
    "SOFT_DELETED": "instance-deleted",
    "ERROR": "instance-in-error",
    "UNKNOWN": "instance-on-a-lost-host",
}
"""By status (https://docs.openstack.org/api-guide/compute/server_concepts.html)."""
NO_HOST = re.compile(r"No valid host|NoValidHost|MaxRetriesExceeded|Exceeded maximum number of retries", re.I)
FOLDER = Path(__file__).with_name("refusals")
READ_IN_ORDER = ("hypervisor", "nova", "apis", "general")
"""The most telling words first: those of QEMU stand inside those of Nova."""


def cause_of(status: str, fault: str, *, tried: str = "") -> str:
    """The cause of an instance that is not ACTIVE.

    `fault` is what Nova says of it, `tried` what the hosts say that failed it; "" if nothing.
    """
    if NO_HOST.search(fault):
        return "instance-in-error" if tried else "no-valid-host"
    return CAUSES.get(status.upper(), "instance-not-active")


@cache
def _refusals() -> Sequence[tuple[re.Pattern[str], str]]:
    texts = ((FOLDER / f"{name}.yaml").read_text(encoding="utf-8") for name in READ_IN_ORDER)
    entries: list[dict[str, Any]] = [entry for text in texts for entry in yaml.safe_load(text)]
    return tuple((re.compile(entry["pattern"], re.I), " ".join(str(entry["fix"]).split())) for entry in entries)


def remedy_of(words: str) -> str:
    """What to do when Nova, Heat or Keystone refuse in these words; "" where they are not known."""
    return next((fix for pattern, fix in _refusals() if pattern.search(words)), "")

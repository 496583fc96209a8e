"""Which PCI devices an entry of [pci] device_spec (passthrough_whitelist) takes, as Nova decides it.

https://docs.openstack.org/nova/latest/configuration/config.html#pci.device_spec
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from access.errors import ParseError
from probes.pci_address import PciAddress

TOOL = "device_spec"
ANY = "*"
PARTS = ("domain", "bus", "slot", "function")
LIMITS = {"domain": 0xFFFF, "bus": 0xFF, "slot": 0x1F, "function": 0x7}
LIMIT_PATTERN_CHARS = 64


def is_passed_over(address: PciAddress) -> bool:
    """Whether Nova passes over a device whatever is written: its domain has more than four digits.

    https://bugs.launchpad.net/nova/+bug/1897528
    """
    return address.domain > LIMITS["domain"]


def takes(spec: Mapping[str, Any], address: PciAddress, vendor_id: str, product_id: str) -> bool:
    """Whether the entry takes a device; other tags (managed, traits, resource_class…) do not decide it.

    Every part is read, also where another one decides already: Nova refuses an entry for any of them.

    Raises:
        ParseError: an id or address that Nova refuses.
    """
    ids = (("vendor_id", vendor_id), ("product_id", product_id))
    fits = [_hexadecimal(spec.get(name, ANY), 0xFFFF) in (None, int(value, 16)) for name, value in ids]
    return _takes_address(spec.get("address"), address) and all(fits) and not is_passed_over(address)


def _takes_address(wanted: Any, address: PciAddress) -> bool:
    present = (address.domain, address.bus, address.device, address.function)
    if wanted is None:
        return True
    if isinstance(wanted, str):
        parts = _parts(wanted)
        limits = zip(parts, LIMITS.values(), present, strict=True)
        fits = [_hexadecimal(part, limit) in (None, value) for part, limit, value in limits]
        return all(fits)
    if not isinstance(wanted, dict) or set(wanted) - set(PARTS):
        raise ParseError(TOOL, "an address is text, or has domain, bus, slot and function", line=str(wanted))
    written = (f"{present[0]:04x}", f"{present[1]:02x}", f"{present[2]:02x}", f"{present[3]:x}")
    patterns = [_pattern(wanted.get(part, ".*")) for part in PARTS]
    return all(pattern.match(text) for pattern, text in zip(patterns, written, strict=True))


def _parts(text: str) -> tuple[str, str, str, str]:
    """Domain, bus, slot and function of `0000:0a:00.1`, `*:0a:00.*`, `:0a:00.`, `0a:00`; left out means any."""
    place, _, function = text.partition(".")
    fields = place.split(":")
    if len(fields) > 3:
        raise ParseError(TOOL, "an address of more than domain, bus and slot", line=text)
    domain, bus, slot = [ANY] * (3 - len(fields)) + fields
    return domain, bus, slot, function


def _hexadecimal(value: Any, limit: int) -> int | None:
    """The number; None for any."""
    text = str(value).strip()
    if text in ("", ANY):
        return None
    if not re.fullmatch(r"(?:0[xX])?[0-9a-fA-F]{1,8}", text) or int(text, 16) > limit:
        raise ParseError(TOOL, f"{text[:40]!r} is no hexadecimal number up to {limit:x}", line=text)
    return int(text, 16)


def _pattern(value: Any) -> re.Pattern[str]:
    if not isinstance(value, str) or len(value) > LIMIT_PATTERN_CHARS:
        raise ParseError(TOOL, "not a regular expression", line=str(value))
    try:
        return re.compile(value)
    except (re.error, OverflowError, RecursionError) as error:
        raise ParseError(TOOL, f"not a regular expression: {error}", line=value) from error

"""Which devices an entry of [pci] device_spec (passthrough_whitelist) takes, as Nova's own matching does it.

Source: https://docs.openstack.org/nova/latest/configuration/config.html#pci.device_spec
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from probes.pci_devices import PciDevice

ANY = "*"
PARTS = ("domain", "bus", "slot", "function")
ADDRESS = re.compile(r"(?:([0-9a-f]+):)?([0-9a-f]+):([0-9a-f]+)\.([0-7])")


def takes(spec: Mapping[str, Any], device: PciDevice) -> bool:
    """Whether an entry takes a device. Ids are compared as text, as Nova does: 0x15f8 and 15F8 take nothing."""
    ids = (("vendor_id", device.vendor_id), ("product_id", device.product_id))
    if any(str(spec.get(key, ANY)) not in (ANY, value) for key, value in ids):
        return False
    return "address" not in spec or _address_takes(spec["address"], device.address)


def _address_takes(wanted: Any, address: str) -> bool:
    match = ADDRESS.fullmatch(address)
    if match is None:
        return False
    parts = dict(zip(PARTS, (match[1] or "0000", match[2], match[3], match[4]), strict=True))
    if isinstance(wanted, Mapping):
        return all(_fits(str(wanted.get(name, ".*")), value) for name, value in parts.items())
    return all(asked in (ANY, value) for asked, value in zip(_globbed(str(wanted)), parts.values(), strict=True))


def _fits(expression: str, value: str) -> bool:
    try:
        return re.match(expression, value) is not None
    except re.error:
        return False


def _globbed(wanted: str) -> tuple[str, str, str, str]:
    """Domain, bus, slot and function of "0000:04:00.*", ":04:" or "04:00.0"; what is left out stands for anything."""
    rest, _, function = wanted.lower().partition(".")
    fields = rest.split(":")
    domain, bus, slot = ([ANY] * (3 - len(fields)) + fields)[-3:]
    return domain or ANY, bus or ANY, slot or ANY, function or ANY

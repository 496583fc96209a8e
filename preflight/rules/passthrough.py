"""Whitelist, alias and flavor: are the ids right, and do they mean the same cards?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from preflight.catalogue import rule
from preflight.deployment import ALIAS_HIERA_KEYS, Deployment
from preflight.entries import PciEntry, canonical_id
from preflight.finding import Finding, Location, Replacement
from preflight.rules import alias_scope
from preflight.yaml_source import Node
from probes.references import NVIDIA_VENDOR_ID
from probes.references.products import gpu_ids, is_listed_completely, nvidia_products

UNQUOTED_ID = rule("GP201")
MALFORMED_ID = rule("GP202")
UNKNOWN_PRODUCT = rule("GP203")
FLAVOR_ALIAS_UNKNOWN = rule("GP208")
WRONG_DEVICE_TYPE = rule("GP209")
ALIAS_NAME_SPACES = rule("GP210")
TWIN_ALIASES = rule("GP211")
ALIAS_INCOMPLETE = rule("GP212")
DEVNAME_FOR_GPU = rule("GP213")
NO_GPU_FLAVOR = rule("GP214")
MALFORMED_REQUEST = rule("GP215")
RULES = (
    UNQUOTED_ID,
    MALFORMED_ID,
    UNKNOWN_PRODUCT,
    FLAVOR_ALIAS_UNKNOWN,
    WRONG_DEVICE_TYPE,
    ALIAS_NAME_SPACES,
    TWIN_ALIASES,
    ALIAS_INCOMPLETE,
    DEVNAME_FOR_GPU,
    NO_GPU_FLAVOR,
    MALFORMED_REQUEST,
    *alias_scope.RULES,
)
PCI_ID = re.compile(r"[0-9a-f]{4}\Z")
ALIAS_ID = re.compile(r"[0-9a-fA-F]{4}\Z")
"""What nova.pci.request asks of an alias; a whitelist entry goes through int(…, 16) instead."""
NUMBER_TO_SOME = re.compile(r"(?:0[xob])?[0-9][0-9_]*\Z|[0-9]+[eE][0-9]+\Z|0x[0-9a-fA-F]+\Z")
"""Whole numbers, octal and hexadecimal ones for every loader; 1e30 is a number for Ruby's and YAML 1.2's."""


def check(deployment: Deployment) -> Iterator[Finding]:
    """Findings of this concern."""
    for entry in deployment.whitelist:
        yield from _ids(entry, _refused_in_whitelist)
    for alias in deployment.aliases:
        yield from _ids(alias, lambda text: _refused_in_alias(deployment, text))
    yield from _alias_fields(deployment)
    yield from _twins(deployment)
    yield from _flavors(deployment)
    yield from alias_scope.check(deployment)


def _refused_in_whitelist(text: str) -> str | None:
    """Why Nova refuses the id; None if it takes it: every spelling of a hexadecimal number is the same to it."""
    if canonical_id(text) is not None:
        return None
    return "Nova reads it as a hexadecimal number of at most four digits"


def _refused_in_alias(deployment: Deployment, text: str) -> str | None:
    if not ALIAS_ID.match(text):
        return "an alias has exactly four hexadecimal digits, without 0x: Nova refuses the definition"
    if text != text.lower() and deployment.release is not None and not deployment.is_at_least("rocky"):
        return f"Nova of {deployment.release.title()} compares it as text with what the kernel reports, in lower case"
    return None


def _ids(entry: PciEntry, refused: Callable[[str], str | None]) -> Iterator[Finding]:
    for field in ("vendor_id", "product_id"):
        node = entry.fields.get(field)
        if node is None or not node.is_scalar:
            continue
        if node.text == "*":
            continue
        if node.origin is not None and node.is_plain:
            yield MALFORMED_ID.at(
                node.location,
                f"{field}: {node.text}",
                "a number in JSON; Nova wants a text",
                f'"{field}": "{node.text}"',
            )
        elif _is_number(node):
            yield _unquoted(node, field)
        elif why := refused(node.text):
            yield _malformed(node, field, why)
    product = "" if _is_number(entry.fields.get("product_id")) else entry.id("product_id") or ""
    if entry.is_gpu and PCI_ID.match(product) and product not in nvidia_products():
        yield from _unknown_product(entry.fields["product_id"], product)
    if entry.is_gpu and "devname" in entry.fields:
        node = entry.fields["devname"]
        yield DEVNAME_FOR_GPU.at(
            node.location,
            node.text,
            "a GPU is not a network device",
            "name vendor_id and product_id, or address",
        )


def _unquoted(node: Node, field: str) -> Finding:
    return UNQUOTED_ID.at(
        node.location,
        f"{field}: {node.text}",
        f"without quotes {_reader(node)} {node.text} as a number, and nova.conf gets another value",
        f'{field}: "{node.text}"',
        Replacement(node.text, f'"{node.text}"'),
    )


def _is_number(node: Node | None) -> bool:
    return node is not None and node.is_plain and node.origin is None and bool(NUMBER_TO_SOME.match(node.text))


def _reader(node: Node) -> str:
    return "YAML reads" if node.scalar_type != "str" else "YAML 1.2 and Ruby's hiera read"


def _malformed(node: Node, field: str, why: str) -> Finding:
    fixed = canonical_id(node.text) or node.text
    return MALFORMED_ID.at(
        node.location,
        f"{field}: {node.text}",
        why,
        f'{field}: "{fixed}"' if PCI_ID.match(fixed) else "the id that `lspci -nn` prints in brackets",
        Replacement(node.written, f'"{fixed}"') if PCI_ID.match(fixed) and node.origin is None else None,
    )


def _unknown_product(node: Node, product: str) -> Iterator[Finding]:
    if not is_listed_completely(product):
        return  # a card newer than our list
    near = [known for known in gpu_ids() if sum(a != b for a, b in zip(known, product, strict=True)) == 1]
    names = ", ".join(f"{known} ({nvidia_products()[known].name})" for known in near[:3])
    yield UNKNOWN_PRODUCT.at(
        node.location,
        node.text,
        f"no product of NVIDIA has the id {NVIDIA_VENDOR_ID}:{product}",
        f"one of {names}? compare with `lspci -nn`" if names else "the id that `lspci -nn` prints in brackets",
    )


def _alias_fields(deployment: Deployment) -> Iterator[Finding]:
    for alias in deployment.aliases:
        name = alias.fields.get("name")
        if name is None or not name.text:
            yield ALIAS_INCOMPLETE.at(alias.node.location, "", "an alias needs a name", "name: a1")
        elif name.text != name.text.strip() or re.search(r"\s", name.text):
            fixed = re.sub(r"\s+", "-", name.text.strip())
            yield ALIAS_NAME_SPACES.at(name.location, name.text, "flavors cannot name it", f"name: {fixed}")
        if not {"vendor_id", "product_id"} & alias.fields.keys() and "resource_class" not in alias.fields:
            yield ALIAS_INCOMPLETE.at(
                alias.node.location,
                alias.text("name") or "",
                "vendor_id and product_id are missing",
                "name both ids, quoted",
            )
        yield from _device_type(alias)


def _device_type(alias: PciEntry) -> Iterator[Finding]:
    gpu = nvidia_products().get(alias.id("product_id") or "") if alias.is_gpu else None
    if gpu is None or gpu.device_type is None:
        return
    written = alias.text("device_type") or "type-PCI"
    if written in (gpu.device_type, "type-VF") or not written.startswith("type-P"):
        return
    node = alias.fields.get("device_type") or alias.node
    how = "is" if gpu.device_type == "type-PF" else "is not"
    yield WRONG_DEVICE_TYPE.at(
        node.location,
        f"device_type: {written}"
        if "device_type" in alias.fields
        else f"alias {alias.text('name')} without device_type",
        f"{gpu.name} {how} SR-IOV capable, so Nova tracks it as {gpu.device_type}; "
        f"an alias for {written} never matches"
        + ("" if "device_type" in alias.fields else " (type-PCI is the default)"),
        f'device_type: "{gpu.device_type}"',
        Replacement(node.written, gpu.device_type) if "device_type" in alias.fields and node.origin is None else None,
    )


def _twins(deployment: Deployment) -> Iterator[Finding]:
    used = {name for use in deployment.flavor_uses for name, _ in use.aliases}
    first: dict[tuple[str | None, str | None, tuple[tuple[str, str], ...]], PciEntry] = {}
    for alias in deployment.aliases:
        fields = tuple(sorted((key, node.text) for key, node in alias.fields.items() if key != "name"))
        twin = first.setdefault((alias.role, alias.hiera_key, fields), alias)
        idle = [name for name in (twin.text("name"), alias.text("name")) if name not in used]
        if twin is not alias and twin.text("name") != alias.text("name") and idle and deployment.flavor_uses:
            yield TWIN_ALIASES.at(
                alias.node.location,
                f"name: {alias.text('name')}",
                f"'{alias.text('name')}' and '{twin.text('name')}' pick from the same cards; no flavor uses "
                f"{', '.join(map(str, idle))}",
                "keep one alias and ask for more cards by count (a1:2), or tell the two apart",
            )


def _flavors(deployment: Deployment) -> Iterator[Finding]:
    defined = {alias.text("name") for alias in deployment.aliases}
    for use in deployment.flavor_uses:
        for name, count in use.aliases:
            if not count.isdigit() or int(count) == 0 or not name:
                yield MALFORMED_REQUEST.at(use.location, use.request, "the form is ALIAS:COUNT", f"{name or 'a1'}:1")
            elif defined and name not in defined:
                yield FLAVOR_ALIAS_UNKNOWN.at(
                    use.location,
                    use.request,
                    f"the environment files define {', '.join(sorted(map(str, defined)))}",
                    f"name one of these, or define {name} for controllers and computes",
                )
    gpu_aliases = [alias for alias in deployment.aliases if alias.is_gpu and alias.hiera_key in ALIAS_HIERA_KEYS]
    makes_flavors = [command for command in deployment.files.commands if command.runs("openstack", "flavor", "create")]
    if gpu_aliases and not deployment.flavor_uses and makes_flavors:
        location: Location = makes_flavors[0].location
        yield NO_GPU_FLAVOR.at(
            location,
            makes_flavors[0].text,
            "no flavor has the extra spec pci_passthrough:alias",
            f'add --property "pci_passthrough:alias"="{gpu_aliases[0].text("name")}:1"',
        )

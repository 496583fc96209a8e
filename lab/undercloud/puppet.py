"""From hiera data to nova.conf, as the release's puppet-nova does it."""

from __future__ import annotations

import json
from typing import Any

WHITELIST_HIERA = ("nova::compute::pci_passthrough", "nova::compute::pci::passthrough")


def hieradata(parameters: dict[str, Any], role: str) -> dict[str, Any]:
    """Hiera keys that environment files set for a role; the role's own win over everybody's."""
    merged: dict[str, Any] = {}
    names = ["ExtraConfig", f"{role}ExtraConfig"]
    names += {"Controller": ["controllerExtraConfig"], "Compute": ["NovaComputeExtraConfig"]}.get(role, [])
    for name in names:
        merged.update(parameters.get(name) or {})
    return merged


def role_parameter(parameters: dict[str, Any], role: str, name: str) -> Any:
    """A parameter, as set for the role or for all."""
    own = parameters.get(f"{role}Parameters") or {}
    return own.get(name, parameters.get(name))


def _lines(option: str, values: list[Any], several: bool) -> list[str]:
    """One option a value; a puppet-nova without the fix writes the whole list into one line."""
    texts = [json.dumps(value) for value in values]
    if len(values) > 1 and not several:
        return [f"{option}={json.dumps(values)}"]
    return [f"{option}={text}" for text in texts]


def _as_list(value: Any) -> list[Any]:
    if value in (None, "", []):
        return []
    if isinstance(value, str):
        value = json.loads(value)
    return value if isinstance(value, list) else [value]


def nova_conf(
    release: dict[str, Any], features: dict[str, bool], parameters: dict[str, Any], role: str, is_compute: bool
) -> str:
    """Text of nova.conf for a host of a role."""
    hiera = hieradata(parameters, role)
    sections: dict[str, list[str]] = {"DEFAULT": ["# written by puppet"], "pci": [], "filter_scheduler": []}
    pci, prefix = ("pci", "") if features["pci_section"] else ("DEFAULT", "pci_")
    aliases: list[Any] = []
    for key, where in release["alias_hiera_keys"].items():
        wanted = (where == "api" and not is_compute) or (
            where == "all" and (features["alias_on_computes"] or not is_compute)
        )
        if key in hiera and wanted:
            aliases += _as_list(hiera[key])
    sections[pci] += _lines(f"{prefix}alias", aliases, features["several_aliases"])
    if is_compute:
        whitelist = _as_list(role_parameter(parameters, role, "NovaPCIPassthrough"))
        for key in WHITELIST_HIERA:
            whitelist += _as_list(hiera.get(key))
        sections[pci] += _lines(f"{prefix}passthrough_whitelist", whitelist, features["several_aliases"])
    else:
        sections["filter_scheduler"] += _filters(release, parameters)
    return "\n".join("\n".join([f"[{name}]", *lines, ""]) for name, lines in sections.items())


def _filters(release: dict[str, Any], parameters: dict[str, Any]) -> list[str]:
    for name in reversed(release["filter_parameters"]):
        value = parameters.get(name)
        if value:
            words = value if isinstance(value, list) else str(value).split(",")
            return [f"enabled_filters={','.join(str(word).strip() for word in words)}"]
    return []

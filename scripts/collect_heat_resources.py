"""Read properties and attributes of Heat's resource types from an installed Heat.

    .lab/cache/openstack/bin/python scripts/collect_heat_resources.py > preflight/data/heat_resources.yaml

Runs in the lab's environment, since the suite's has no Heat.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from importlib.metadata import version

import heat.engine.resources
from heat.engine import properties
from heat.engine.support import DEPRECATED, HIDDEN, SupportStatus

NEWTON = 7


def resource_types() -> dict[str, type]:
    """Every resource type that the installed Heat can make, with its class."""
    found: dict[str, type] = {}
    for module_info in pkgutil.walk_packages(heat.engine.resources.__path__, "heat.engine.resources."):
        try:
            module = importlib.import_module(module_info.name)
        except ImportError:
            continue
        mapping = getattr(module, "resource_mapping", dict)
        found.update(mapping())
    return found


def stands_for(name: str, schema: dict[str, properties.Schema]) -> list[str]:
    """Older properties that Heat translates into `name`, such as network_id into network."""
    return [
        key
        for key, value in schema.items()
        if key != name
        and value.support_status.status in (HIDDEN, DEPRECATED)
        and (key == f"{name}_id" or re.search(rf"[Uu]se property '?{name}\b", value.support_status.message or ""))
    ]


def since(status: SupportStatus) -> int:
    """Heat's major version in which something came, as 8 for Ocata; 0 for the years before Liberty."""
    oldest = status
    while oldest.previous_status is not None:
        oldest = oldest.previous_status
    found = re.match(r"(\d{1,2})\.", oldest.version or "")
    return int(found[1]) if found else 0


def _entry(key: str, others: list[str]) -> str:
    return f"{key}: [{', '.join(others)}]"


def main() -> None:
    """Print what each OS:: type takes, needs, gives, and since which of Heat's major versions."""
    print(f"# Made by scripts/collect_heat_resources.py from openstack-heat {version('openstack-heat')}; do not edit.")
    for name, kind in sorted(resource_types().items()):
        if not name.startswith("OS::") or not isinstance(kind, type):
            continue
        schema = {key: properties.Schema.from_legacy(value) for key, value in kind.properties_schema.items()}
        required = {key: stands_for(key, schema) for key, value in schema.items() if value.required}
        attributes = [*kind.attributes_schema, *kind.base_attributes_schema]
        newer = {key: since(value.support_status) for key, value in schema.items()}
        print(f'"{name}":')
        print(f"  since: {since(kind.support_status)}")
        print(f"  properties: [{', '.join(sorted(schema))}]")
        print(f"  required: {{{', '.join(_entry(key, old) for key, old in sorted(required.items()))}}}")
        print(f"  attributes: [{', '.join(sorted(attributes))}]")
        print(
            f"  newer: {{{', '.join(f'{key}: {number}' for key, number in sorted(newer.items()) if number > NEWTON)}}}"
        )


main()

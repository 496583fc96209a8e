"""Read properties and attributes of Heat's resource types from an installed Heat.

    .lab/cache/openstack/bin/python scripts/collect_heat_resources.py > provisioning/preflight/data/heat_resources.yaml

Runs in the lab's environment, since the suite's has no Heat.
"""

from __future__ import annotations

import importlib
import pkgutil
from importlib.metadata import version

import heat.engine.resources
from heat.engine import properties


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


def main() -> None:
    """Print one line of properties, required properties and attributes for each OS:: type."""
    print(f"# Made by scripts/collect_heat_resources.py from openstack-heat {version('openstack-heat')}; do not edit.")
    for name, kind in sorted(resource_types().items()):
        if not name.startswith("OS::") or not isinstance(kind, type):
            continue
        schema = {key: properties.Schema.from_legacy(value) for key, value in kind.properties_schema.items()}
        required = [key for key, value in schema.items() if value.required]
        attributes = [*kind.attributes_schema, *kind.base_attributes_schema]
        print(f'"{name}":')
        print(f"  properties: [{', '.join(sorted(schema))}]")
        print(f"  required: [{', '.join(sorted(required))}]")
        print(f"  attributes: [{', '.join(sorted(attributes))}]")


main()

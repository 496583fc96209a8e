"""Bare metal nodes as Ironic on the undercloud knows them."""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.state import LabState, write_private


@dataclass
class Node:
    """One registered server."""

    name: str
    uuid: str
    provision_state: str = "enroll"
    power_state: str | None = None
    maintenance: bool = False
    instance: str | None = None
    """Name of the overcloud host that was deployed on it."""
    driver: str = "pxe_ipmitool"
    properties: dict[str, Any] = field(default_factory=dict)


class Registry:
    """The undercloud's nodes, kept in a file."""

    def __init__(self, state: LabState) -> None:
        self.file: Path = state.paths.state / "undercloud" / "nodes.json"
        self.file.parent.mkdir(exist_ok=True, mode=0o700)

    def load(self) -> list[Node]:
        """All nodes."""
        if not self.file.exists():
            return []
        return [Node(**data) for data in json.loads(self.file.read_text())]

    def store(self, nodes: list[Node]) -> None:
        """Replace all nodes."""
        write_private(self.file, json.dumps([asdict(node) for node in nodes], indent=1))

    def find(self, word: str) -> Node:
        """A node by name or UUID."""
        for node in self.load():
            if word in (node.name, node.uuid):
                return node
        raise LabError(f"Node {word} could not be found. (HTTP 404)")

    def import_file(self, text: str) -> list[Node]:
        """Register what instackenv.json declares; what is known already is only updated."""
        try:
            declared = json.loads(text)["nodes"]
        except (ValueError, KeyError, TypeError) as error:
            raise LabError(f"Invalid file format: {error}") from error
        nodes = {node.name: node for node in self.load()}
        for number, entry in enumerate(declared):
            name = entry.get("name") or f"node-{number}"
            properties = {key: entry[key] for key in ("cpu", "memory", "disk", "arch", "capabilities") if key in entry}
            node = nodes.setdefault(name, Node(name, str(uuid.uuid5(uuid.NAMESPACE_DNS, name))))
            node.driver, node.properties = entry.get("pm_type", node.driver), properties
            if node.provision_state == "enroll":
                node.provision_state, node.power_state = "manageable", "power off"
        self.store(list(nodes.values()))
        return list(nodes.values())

    def provide(self, names: set[str] | None = None) -> list[str]:
        """Make manageable nodes available; returns their names."""
        nodes = self.load()
        changed = [
            node
            for node in nodes
            if node.provision_state == "manageable" and (names is None or {node.name, node.uuid} & names)
        ]
        for node in changed:
            node.provision_state = "available"
        self.store(nodes)
        return [node.name for node in changed]

"""Programs of the machines that the lab carries out outside: `python -m lab.hostcalls TOOL ARGUMENT…`."""

from __future__ import annotations

import importlib
import sys

TOOLS = {
    "openstack": "lab.undercloud.commands:openstack",
    "swift": "lab.undercloud.commands:swift",
    "upload-puppet-modules": "lab.undercloud.commands:upload_puppet_modules",
    "card-memory": "lab.hosts.card_memory:card_memory",
    "mysql": "lab.services.mysql:mysql",
    "systemctl": "lab.services.systemctl:systemctl",
    "docker": "lab.undercloud.containers:docker",
    "podman": "lab.undercloud.containers:podman",
    "virt-customize": "lab.guests.virt_customize:virt_customize",
}


def main(arguments: list[str]) -> int:
    """Run one tool with the caller's stdio; returns its exit code."""
    module, _, function = TOOLS[arguments[0]].partition(":")
    return int(getattr(importlib.import_module(module), function)(arguments[1:]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

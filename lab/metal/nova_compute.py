"""nova-compute of a virtual machine: the lab's release of Nova with its libvirt driver, configured as on Debian.

/etc/nova/nova.conf is what the layout's deployer writes, /etc/nova/nova-compute.conf has the rest: how to reach the
control plane, and libvirt.
"""

from __future__ import annotations

import configparser
from typing import Any

from lab.metal import network
from lab.services.configuration import Sections, text
from lab.services.projects.nova import sections
from lab.state import LabState
from lab.undercloud.deployed_files import filled

OWN = "/etc/nova/nova-compute.conf"
STATE = "/var/lib/nova"
NEEDED = ("service_user", "placement", "neutron", "glance", "keystone", "oslo_messaging_notifications")
HELPER = "sudo /usr/bin/privsep-helper"
CONTEXTS = ("nova_sys_admin", "vif_plug_ovs", "vif_plug_linux_bridge", "vif_plug_noop")
"""Parts of Nova and os-vif that work as root through the helper."""


def files(state: LabState, name: str) -> dict[str, str]:
    """Nova's files of a machine, by path."""
    found = {path: filled(state, content) for path, content in state.release_data["files"]["Compute"].items()}
    own = _sections(state, name)
    for section, options in _read(found.get(OWN, "")).items():
        own.setdefault(section, {}).update(options)
    return {**found, OWN: text(own)}


def _sections(state: LabState, name: str) -> Sections:
    known = sections(state, f"nova-compute-{name}")
    own: Sections = {
        "DEFAULT": {
            **{key: value for key, value in known["DEFAULT"].items() if key not in ("log_file", "use_stderr")},
            "transport_url": f"lab:///{network.BUS}",
            "my_ip": network.INSIDE,
            "state_path": STATE,
            "instances_path": f"{STATE}/instances",
            "compute_driver": "libvirt.LibvirtDriver",
            "update_resources_interval": 10,
        },
        **{section: known[section] for section in NEEDED},
        "oslo_concurrency": {"lock_path": f"{STATE}/locks"},
        "libvirt": {"virt_type": "qemu", "cpu_mode": "none", "images_type": "qcow2"},
        "vnc": {"enabled": "false"},
    }
    return own | {context: {"helper_command": HELPER} for context in CONTEXTS}


def _read(content: str) -> dict[str, dict[str, Any]]:
    parser = configparser.RawConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(content)
    return {section: dict(parser.items(section)) for section in parser.sections()}

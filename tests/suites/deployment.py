"""What the checks that make no instance of their own look at, healthy: files, undercloud, hosts, an instance.

As in the model cloud, each thing that can be wrong is a method of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from model_cloud import ModelCloud
from model_hosts import AnsweringHost

from preflight.finding import Finding
from probes import nvidia_module, pci_devices
from probes.undercloud import STACKRC
from provisioning.environment import Environment, Guest

GUESTS = {"one-card": "m1.xmedium", "all-cards": "m1.xall"}
HOSTS = ("compute-0", "compute-1")


class Deployment:
    """A healthy TripleO cloud of clouds/lab.yaml."""

    def __init__(self, model: ModelCloud | None = None) -> None:
        self.model = model or ModelCloud()

    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with the files."""
        return ()

    def unread_scripts(self) -> str:
        """Why shellcheck did not look at them."""
        return ""

    def nodes(self) -> list[dict[str, object]]:
        """Rows of `openstack baremetal node list`."""
        return [
            {"Name": name, "Provisioning State": "active", "Maintenance": False}
            for name in ("controller-0", "compute-0", "compute-1")
        ]

    def overcloud(self) -> str:
        """Status of its stack."""
        return "UPDATE_COMPLETE"

    def artifacts(self) -> str:
        """What swift lists."""
        return "puppet-modules.tar.gz\n"

    def cards_in_sysfs(self) -> str:
        """Rows of a host's PCI functions: a bridge and two cards."""
        return (
            "0000:00:02.0 0x8086 0x6f04 0x060400 pcieport 1 0 - - 8.0_GT/s 8.0_GT/s 16 16 -\n"
            "0000:04:00.0 0x10de 0x15f8 0x030200 - 32 0 - - 8.0_GT/s 8.0_GT/s 16 16 de10f815\n"
            "0000:84:00.0 0x10de 0x15f8 0x030200 - 33 1 - - 8.0_GT/s 8.0_GT/s 16 16 de10f815\n"
            "end\n"
        )

    def driver(self) -> str:
        """/proc/driver/nvidia/version of the instance."""
        return (
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  384.183  Tue Sep 25 02:12:33 PDT 2018\n"
            "GCC version:  gcc version 4.8.5 20150623 (Red Hat 4.8.5-16) (GCC) \n"
        )

    def stack_failure(self) -> str | None:
        """Why the tenant's stack is not complete."""
        return None

    def environment(self) -> Environment:
        """What provisioning left."""
        failure = self.stack_failure()
        guests = [Guest(name, flavor, server_id=name, failure=failure) for name, flavor in GUESTS.items()]
        return Environment(image_id="image", project_id="tenant", guests=tuple(guests))

    def machines(self) -> dict[str, AnsweringHost]:
        """Machines by name, each with the answers of its tools."""
        listed: dict[str, Callable[[], str]] = {
            f"{STACKRC}swift list overcloud-artifacts": self.artifacts,
            f"{STACKRC}openstack baremetal node list": lambda: json.dumps(self.nodes()),
            f"{STACKRC}openstack stack list": lambda: json.dumps(
                [{"Stack Name": "overcloud", "Stack Status": self.overcloud()}]
            ),
        }
        guests = {name: AnsweringHost(name, {nvidia_module.TOOL: self.driver}) for name in GUESTS}
        return {"undercloud": AnsweringHost("undercloud", listed), **guests}

    def host_machines(self) -> dict[str, AnsweringHost]:
        """The GPU hosts, for checks that look at them alone."""
        return {name: AnsweringHost(name, {pci_devices.COMMAND: self.cards_in_sysfs}) for name in HOSTS}

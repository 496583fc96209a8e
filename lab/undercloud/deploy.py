"""`openstack overcloud deploy`: merge, check, first boot, kernel arguments, puppet, services."""

from __future__ import annotations

import argparse
import json
import os
import posixpath
import sys
import time
from dataclasses import dataclass
from typing import Any

import yaml

from lab.errors import LabError
from lab.hosts.daemon.client import MachinesClient
from lab.hosts.layout import MachineDir
from lab.services import control
from lab.services.nova_conf import host_nova_conf
from lab.state import LabState, write_private
from lab.undercloud import artifacts, environments, puppet
from lab.undercloud.nodes import Node, Registry

DEFAULT_ENVIRONMENTS = "/home/stack/.tripleo/environments"
TEMPLATES = "/usr/share/openstack-tripleo-heat-templates"
DEFAULT_ROLES = ("Controller", "Compute")
REBOOT_LIMIT_S = 60
FIRST_BOOT_LIMIT_S = 120


@dataclass(frozen=True)
class Placement:
    """An overcloud host, its role and the server it is deployed on."""

    host: str
    role: str
    node: Node
    is_new: bool


def parser() -> argparse.ArgumentParser:
    """Options of the command, as tripleoclient declares them."""
    options = argparse.ArgumentParser(prog="openstack overcloud deploy", allow_abbrev=False)
    options.add_argument("--templates", nargs="?", const=TEMPLATES)
    options.add_argument("--stack", default="overcloud")
    options.add_argument("-t", "--timeout", type=int, default=240, metavar="<TIMEOUT>")
    options.add_argument("-e", "--environment-file", action="append", default=[], dest="files")
    options.add_argument("--environment-directory", action="append", default=[], dest="directories")
    options.add_argument("-r", "--roles-file")
    options.add_argument("-n", "--networks-file")
    for name in ("--ntp-server", "--libvirt-type", "--log-file", "--answers-file", "--neutron-network-type"):
        options.add_argument(name)
    for name in ("--control-scale", "--compute-scale"):
        options.add_argument(name, type=int)
    for name in ("--control-flavor", "--compute-flavor", "--validation-errors-nonfatal", "--disable-validations"):
        options.add_argument(name, nargs="?", const=True)
    return options


class Deploy:
    """One run of the command."""

    def __init__(self, state: LabState, arguments: list[str]) -> None:
        self.state = state
        self.options = parser().parse_args(arguments)
        self.undercloud = MachineDir(state.paths, state.hosts("Undercloud")[0])
        self.client = MachinesClient(state.paths)
        self.registry = Registry(state)
        self.deadline = time.monotonic() + self.options.timeout * 60
        self.file = state.paths.state / "undercloud" / "overcloud.json"

    def run(self) -> int:
        """Deploy or update; returns the exit code."""
        if not self.options.templates:
            raise LabError("You must specify either --templates or --answers-file")
        merged = self._merge()
        roles = self._roles()
        environments.check_parameters(self.state.release, merged, roles)
        placements = self._place(merged, roles)
        updating = self.file.exists()
        verb = "UPDATE" if updating else "CREATE"
        self._status(f"{verb}_IN_PROGRESS")
        self._event(f"overcloud]: {verb}_IN_PROGRESS  Stack {verb} started")
        try:
            self._nodes(merged, placements)
            self._configure(merged, placements)
        except LabError as error:
            self._status(f"{verb}_FAILED", str(error))
            self._event(f"overcloud]: {verb}_FAILED  {error}")
            print(f" Stack overcloud {verb}_FAILED \n\n{error}\nHeat Stack {verb.lower()} failed.", file=sys.stderr)
            return 1
        self._overcloudrc()
        self._status(f"{verb}_COMPLETE")
        self._event(f"overcloud]: {verb}_COMPLETE  Stack {verb} completed successfully")
        url = self.state.identity_url
        print(f"\n Stack overcloud {verb}_COMPLETE \n\nOvercloud Endpoint: {url}/v3\nOvercloud Deployed")
        return 0

    def _inside(self, path: str) -> str:
        path = path.replace("~", "/home/stack", 1) if path.startswith("~") else path
        return posixpath.normpath(posixpath.join(os.environ.get("LAB_CWD", "/home/stack"), path))

    def _merge(self) -> environments.Merged:
        named = [self._inside(file) for file in self.options.files]
        for file in named:
            if not self.undercloud.path(file).is_file():
                raise LabError(f"[Errno 2] No such file or directory: '{file}'")
        directories = [DEFAULT_ENVIRONMENTS, *(self._inside(path) for path in self.options.directories)]
        files = environments.environment_files(self.undercloud, directories, named)
        return environments.merge(self.undercloud, files)

    def _roles(self) -> list[str]:
        if not self.options.roles_file:
            return list(DEFAULT_ROLES)
        file = self.undercloud.path(self._inside(self.options.roles_file))
        if not file.is_file():
            raise LabError(f"[Errno 2] No such file or directory: '{self.options.roles_file}'")
        return [role["name"] for role in yaml.safe_load(file.read_text())]

    def _count(self, merged: environments.Merged, role: str) -> int:
        scales = {"Controller": self.options.control_scale, "Compute": self.options.compute_scale}
        if scales.get(role) is not None:
            return int(scales[role])
        default = 1 if role in DEFAULT_ROLES else 0
        return int(merged.parameters.get(f"{role}Count", default))

    def _place(self, merged: environments.Merged, roles: list[str]) -> list[Placement]:
        """Which host lands on which server: hosts of a role in the declared order."""
        nodes = {node.name: node for node in self.registry.load()}
        usable = [node for node in nodes.values() if node.provision_state in ("available", "active")]
        wanted = {role: self._count(merged, role) for role in roles}
        if sum(wanted.values()) > len(usable):
            raise LabError(f"Not enough nodes - available: {len(usable)}, requested: {sum(wanted.values())}")
        placements = []
        for role, count in wanted.items():
            hosts = self.state.hosts(role)[:count]
            if len(hosts) < count:
                raise LabError(
                    "ResourceInError: resources."
                    + role
                    + f': Went to status ERROR due to "Message: No valid host was found. '
                    f'There are not enough hosts available., Code: 500" '
                    f"(role {role}: {count} wanted, {len(hosts)} servers)"
                )
            for host in hosts:
                node = nodes.get(host)
                if node is None or node.provision_state not in ("available", "active"):
                    raise LabError(f"No valid host was found: the server of {host} is not available in Ironic")
                placements.append(Placement(host, role, node, node.instance is None))
        return placements

    def _nodes(self, merged: environments.Merged, placements: list[Placement]) -> None:
        rebooted = []
        for placement in placements:
            if placement.is_new:
                self._event(f"overcloud.{placement.role}.0.{placement.role}]: CREATE_IN_PROGRESS  {placement.host}")
                boot_id = self.client.state(placement.host)["boot_id"]
                for number, script in enumerate(environments.first_boot_scripts(merged, placement.role)):
                    self._first_boot(placement.host, number, script)
                if "reboot" in "".join(environments.first_boot_scripts(merged, placement.role)):
                    rebooted.append((placement.host, boot_id))
                self._mark_active(placement)
        for host, boot_id in rebooted:
            self._wait_for_reboot(host, boot_id)
        for placement in placements:
            self._kernel_arguments(merged, placement)

    def _first_boot(self, host: str, number: int, script: str) -> None:
        """cloud-init's part of a node's first boot: run the script as root, whatever it answers."""
        path = f"/var/lib/cloud/scripts/part-{number:03d}"
        self.client.run(
            host, ["/bin/sh", "-c", 'mkdir -p "${1%/*}"; cat >"$1"; chmod 700 "$1"', "sh", path], stdin=script
        )
        launcher = f"{path} >>/var/log/cloud-init-output.log 2>&1"
        self.client.run(host, ["/bin/sh", "-c", launcher], timeout_s=FIRST_BOOT_LIMIT_S)

    def _wait_for_reboot(self, host: str, boot_id: str) -> None:
        """Give a reboot that the script asked for the time to happen; one that never comes is no error here."""
        limit = time.monotonic() + 3
        while time.monotonic() < limit and self.client.state(host)["boot_id"] == boot_id:
            time.sleep(0.05)
        limit = time.monotonic() + REBOOT_LIMIT_S
        while not self.client.state(host)["running"]:
            if time.monotonic() > min(limit, self.deadline):
                raise LabError(f"resources.{host}: the node did not come back from its reboot")
            time.sleep(0.05)

    def _mark_active(self, placement: Placement) -> None:
        nodes = self.registry.load()
        for node in nodes:
            if node.name == placement.node.name:
                node.provision_state, node.power_state, node.instance = "active", "power on", placement.host
        self.registry.store(nodes)

    def _kernel_arguments(self, merged: environments.Merged, placement: Placement) -> None:
        """KernelArgs of the release: written to grub, then a reboot; nothing when they are in effect."""
        how = self.state.release_data["kernel_arguments"]
        if how == "parameter":
            value = puppet.role_parameter(merged.parameters, placement.role, "KernelArgs")
        else:
            value = merged.parameters.get(f"{placement.role}KernelArgs")
        if not value:
            return
        cmdline = MachineDir(self.state.paths, placement.host).path("/proc/cmdline").read_text().split()
        if all(word in cmdline for word in str(value).split()):
            return
        self._event(f"overcloud.{placement.role}.KernelArgs]: {placement.host}: {value}")
        command = (
            'sed -i "s/^GRUB_CMDLINE_LINUX=\\"\\(.*\\)\\"/GRUB_CMDLINE_LINUX=\\"\\1 $1\\"/" /etc/default/grub;'
            " if [ -d /sys/firmware/efi ]; then out=/boot/efi/EFI/redhat/grub.cfg; else out=/boot/grub2/grub.cfg; fi;"
            ' grub2-mkconfig -o "$out" --update-bls-cmdline'
        )
        self.client.run(placement.host, ["/bin/sh", "-c", command, "sh", str(value)])
        self.client.reboot(placement.host)

    def _configure(self, merged: environments.Merged, placements: list[Placement]) -> None:
        urls = merged.parameters.get("DeployArtifactURLs") or []
        features = artifacts.puppet_nova_features(self.state, urls)
        changed = set()
        for step, (service, host, role) in enumerate(self._services(placements), start=1):
            is_compute = service.startswith("nova-compute")
            text = puppet.nova_conf(self.state.release_data, features, merged.parameters, role, is_compute)
            file = host_nova_conf(self.state, service)
            self._event(f"overcloud.AllNodesDeploySteps.{role}Deployment_Step{min(step, 5)}]: {host}: {service}")
            if not file.exists() or file.read_text() != text:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
                file.chmod(0o640)
                changed.add(host)
        services = [service for service, host, _ in self._services(placements) if host in changed]
        if services:
            self._event(f"overcloud.AllNodesDeploySteps]: restarting {', '.join(services)}")
            control.restart(self.state, services)

    def _services(self, placements: list[Placement]) -> list[tuple[str, str, str]]:
        found = []
        for placement in placements:
            if placement.host in self.state.computes:
                found.append((f"nova-compute-{placement.host}", placement.host, placement.role))
            elif placement.host == self.state.controller:
                found += [
                    (name, placement.host, placement.role) for name in ("nova-api", "nova-scheduler", "nova-conductor")
                ]
        return found

    def _overcloudrc(self) -> None:
        path = self.undercloud.path("/home/stack/overcloudrc")
        variables = {
            "OS_USERNAME": "admin",
            "OS_PASSWORD": self.state.secret("admin"),
            "OS_PROJECT_NAME": "admin",
            "OS_TENANT_NAME": "admin",
            "OS_USER_DOMAIN_NAME": "Default",
            "OS_PROJECT_DOMAIN_NAME": "Default",
            "OS_AUTH_URL": self.state.identity_url + "/v3",
            "OS_IDENTITY_API_VERSION": "3",
            "OS_REGION_NAME": "RegionOne",
            "NOVA_VERSION": "1.1",
            "COMPUTE_API_VERSION": "1.1",
            "OS_CLOUDNAME": "overcloud",
        }
        clear = (
            "# Clear any old environment that may conflict.\n"
            "for key in $( set | awk '{FS=\"=\"}  /^OS_/ {print $1}' ); do unset $key ; done\n"
        )
        write_private(path, clear + "".join(f"export {key}={value}\n" for key, value in variables.items()))
        self.client.run(self.undercloud.name, ["chown", "stack:stack", "/home/stack/overcloudrc"])

    def _status(self, status: str, reason: str = "") -> None:
        write_private(self.file, json.dumps({"stack_name": self.options.stack, "status": status, "reason": reason}))

    def _event(self, text: str) -> None:
        print(f"{time.strftime('%Y-%m-%d %H:%M:%SZ', time.gmtime())} [{text}", flush=True)


def status(state: LabState) -> dict[str, Any] | None:
    """The overcloud stack as the undercloud's Heat has it; None when there is none."""
    file = state.paths.state / "undercloud" / "overcloud.json"
    return dict(json.loads(file.read_text())) if file.exists() else None

"""From a cloud file to a deployed overcloud, over SSH to the undercloud."""

from __future__ import annotations

import hashlib
import json
import posixpath
import shlex
from collections.abc import Mapping

from access.errors import CommandError, DeployError, InputError, ProvisioningError
from access.host import CommandOutput
from access.progress import Progress
from access.ssh import RemoteHost
from cloud_file.cloud import Cloud
from cloud_file.deployer import Deployer, deployer_of, tripleo_of
from provisioning.tripleo.environments import render

STACKRC = ". ~/stackrc && "
SHORT_S = 300.0
DEPLOYED = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
"""A stack that was rolled back is complete, too, and not what was asked for."""


class Undercloud:
    """The undercloud of one cloud file."""

    def __init__(self, cloud: Cloud, host: RemoteHost, progress: Progress) -> None:
        if cloud.release is None:
            raise InputError("the cloud file names no release")
        self.cloud = cloud
        self.host = host
        self.progress = progress
        self.deployer = deployer_of(cloud)

    @property
    def directory(self) -> str:
        """Where our files lie on the undercloud."""
        return posixpath.join("/home", self.host.endpoint.user, self.cloud.deploy.working_directory)

    def command(self, text: str, *, timeout_s: float = SHORT_S) -> CommandOutput:
        """Run an undercloud command that must succeed, with stackrc's credentials.

        Raises:
            ProvisioningError: it failed; carries what it said.
        """
        output = self.host.run(STACKRC + text, timeout_s=timeout_s)
        if output.exit_code != 0:
            raise ProvisioningError(f"{text} on the undercloud failed ({output.exit_code}):\n{output.stderr[-1500:]}")
        return output

    def register_nodes(self) -> None:
        """Servers in Ironic: import what is missing, introspect, make available."""
        nodes = json.loads(self.command("openstack baremetal node list -f json").stdout or "[]")
        wanted = {host.name for host in self.cloud.hosts}
        known = {str(node["Name"]) for node in nodes}
        if wanted - known:
            self.progress.detail(f"importing {', '.join(sorted(wanted - known))}")
            self.command("openstack overcloud node import ~/instackenv.json")
        states = {str(node["Provisioning State"]) for node in nodes}
        if wanted - known or states & {"enroll", "manageable"}:
            self.command("openstack overcloud node introspect --all-manageable --provide", timeout_s=3600)

    def upload_puppet_modules(self) -> None:
        """puppet-nova with the PCI fixes as a deploy artifact, where the release's packages lack them."""
        folder = self.cloud.deploy.puppet_modules
        if not tripleo_of(self.deployer).puppet_nova_needs_update or folder is None:
            return
        self.command(f"upload-puppet-modules -d {shlex.quote(folder)}")
        if "puppet-modules.tar.gz" not in self.command("swift list overcloud-artifacts").stdout:
            raise ProvisioningError("upload-puppet-modules left nothing in the container overcloud-artifacts")

    def deploy(self) -> None:
        """Upload the environment files and deploy, unless exactly this is deployed already.

        Raises:
            DeployError: the deploy failed; carries the failing resources.
        """
        files = render(self.cloud, self.deployer)
        command = deploy_command(self.cloud, self.deployer, self.directory)
        digest = self._digest(files, command)
        if self._is_deployed(digest):
            self.progress.detail("the overcloud is deployed with exactly these files")
            return
        for name, text in files.items():
            self.host.write_file(f"{self.directory}/{name}", text)
        self.progress.detail(command)
        limit_s = self.cloud.deploy.timeout_min * 60 + 120
        try:
            output = self.host.run(STACKRC + command, timeout_s=limit_s, on_line=self.progress.detail)
        except CommandError as error:
            raise DeployError(f"the overcloud deploy did not end: {error}") from error
        if output.exit_code != 0:
            raise DeployError(self._failure(output), remedy="openstack stack failures list overcloud")
        self.host.write_file(f"{self.directory}/.deployed", digest)

    def _digest(self, files: Mapping[str, str], command: str) -> str:
        """Of all that decides what is deployed: our files, the user's own, the command that names them in order."""
        deploy = self.cloud.deploy
        named = [*deploy.environment_files, *([deploy.roles_file] if deploy.roles_file else [])]
        theirs = {name: self.host.read_file(name) for name in named}
        return hashlib.sha256(json.dumps([files, theirs, command], sort_keys=True).encode()).hexdigest()

    def _is_deployed(self, digest: str) -> bool:
        stacks = json.loads(self.command("openstack stack list -f json").stdout.strip() or "[]")
        complete = any(
            stack["Stack Name"] == self.cloud.deploy.stack and stack["Stack Status"] in DEPLOYED for stack in stacks
        )
        return complete and self.host.read_file(f"{self.directory}/.deployed") == digest

    def _failure(self, output: CommandOutput) -> str:
        reasons = self.host.run(STACKRC + "openstack stack failures list overcloud", timeout_s=SHORT_S).stdout
        said = (output.stderr.strip() or output.stdout.strip())[-1500:]
        return f"the overcloud deploy failed ({output.exit_code}):\n{said}\n{reasons[-1500:]}"

    def node_addresses(self) -> dict[str, str]:
        """Control plane address of each overcloud host, by name."""
        servers = json.loads(self.command("openstack server list -f json").stdout.strip() or "[]")
        return {str(server["Name"]): str(server["Networks"]).rpartition("=")[2] for server in servers}


def deploy_command(cloud: Cloud, deployer: Deployer, directory: str) -> str:
    """`openstack overcloud deploy` for files that lie in `directory`."""
    deploy = cloud.deploy
    words = ["openstack", "overcloud", "deploy", "--templates", deploy.templates]
    if deploy.roles_file:
        words += ["-r", deploy.roles_file]
    for file in (
        *(posixpath.join(deploy.templates, name) for name in tripleo_of(deployer).environment_files),
        *deploy.environment_files,
    ):
        words += ["-e", file]
    words += ["--environment-directory", f"{directory}/environments", "--timeout", str(deploy.timeout_min)]
    return shlex.join(words)

"""The undercloud: servers registered, modules in place, environment files in effect."""

from __future__ import annotations

import pytest

from access.host import Host
from cloud_file.cloud import Cloud
from cloud_file.deployer import Deployer
from judging.verdicts import require
from probes import undercloud as undercloud_probe
from provisioning.environment import Environment

IRONIC = "https://docs.openstack.org/ironic/latest/install/enrollment.html"
DIRECTORY = "https://docs.openstack.org/python-tripleoclient/latest/"
UNDONE = ("ROLLBACK_", "DELETE_", "SUSPEND_")
"""Actions of Heat that end in COMPLETE, too, and leave another overcloud than the deployed one."""
ARTIFACTS = "https://docs.openstack.org/project-deploy-guide/tripleo-docs/latest/features/deploy_artifacts.html"


@pytest.mark.check("undercloud.nodes.available", rests_on=("preflight.files",), source=IRONIC)
def test_every_declared_host_is_registered_in_ironic(undercloud: Host, cloud: Cloud, environment: Environment) -> None:
    """Each declared server is in Ironic and available or active: others cannot be deployed to."""
    states = undercloud_probe.node_states(undercloud)

    wrong = {
        host.name: states.get(host.name, "not registered")
        for host in cloud.hosts
        if states.get(host.name) not in ("available", "active")
    }

    require(
        not wrong,
        "node-not-available",
        f"not ready in Ironic: {wrong}",
    )


@pytest.mark.check("undercloud.puppet_nova.uploaded", rests_on=("preflight.files",), source=ARTIFACTS)
def test_the_mended_puppet_nova_is_uploaded_where_the_release_needs_it(
    undercloud: Host, deployer: Deployer, environment: Environment
) -> None:
    """Packages of some releases have a puppet-nova that sets no alias on computes; its successor must be an artifact."""  # noqa: E501
    found = undercloud_probe.artifacts(undercloud)
    if deployer.tripleo is None or not deployer.tripleo.puppet_nova_needs_update:
        return

    require(
        any("puppet-modules" in name for name in found),
        "puppet-nova-not-uploaded",
        "no puppet module in Swift: the packaged one writes no alias on computes",
    )


@pytest.mark.check("undercloud.overcloud.complete", rests_on=("undercloud.nodes.available",), source=ARTIFACTS)
def test_the_overcloud_is_deployed(undercloud: Host, cloud: Cloud, environment: Environment) -> None:
    """The deploy of exactly our environment files ended in COMPLETE."""
    status = undercloud_probe.stack_status(undercloud, cloud.deploy.stack)

    require(
        "deploy" not in environment.failures,
        "deploy-failed",
        environment.failures.get("deploy", ""),
    )
    require(
        status is not None and status.endswith("_COMPLETE") and not status.startswith(UNDONE),
        "overcloud-not-complete",
        f"the stack {cloud.deploy.stack} is {status or 'not there'}",
    )


@pytest.mark.check("undercloud.environments.read", source=DIRECTORY)
def test_every_environment_file_is_one_that_the_deploy_reads(undercloud: Host, cloud: Cloud) -> None:
    """--environment-directory takes files that end in .yaml, and passes over all others without a word."""
    folder = f"{cloud.deploy.working_directory}/environments"
    names = undercloud_probe.files_in(undercloud, folder)

    ignored = [name for name in names if not name.endswith((".yaml", "/", "~")) and not name.startswith(".")]
    require(
        not ignored,
        "environment-file-ignored",
        f"{', '.join(ignored)} in {folder} is never read",
        file=f"{folder}/{ignored[0]}" if ignored else "",
    )

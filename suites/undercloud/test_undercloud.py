"""The undercloud: servers registered, modules in place, environment files in effect."""

from __future__ import annotations

import json

import pytest
from judging import require

from probes.host import Host, output_of
from provisioning.cloud_file import Cloud
from provisioning.environment import Environment
from provisioning.tripleo.release import release

IRONIC = "https://docs.openstack.org/ironic/latest/install/enrollment.html"
ARTIFACTS = "https://docs.openstack.org/project-deploy-guide/tripleo-docs/latest/features/deploy_artifacts.html"


@pytest.mark.check("undercloud.nodes.available", rests_on=("preflight.files",), source=IRONIC)
def test_every_declared_host_is_registered_in_ironic(undercloud: Host, cloud: Cloud, environment: Environment) -> None:
    """Each declared server is in Ironic and available or active: others cannot be deployed to."""
    answer = output_of(undercloud, ". ~/stackrc && openstack baremetal node list -f json", timeout_s=120).stdout
    states = {node["Name"]: node["Provisioning State"] for node in json.loads(answer)}

    wrong = {
        host.name: states.get(host.name, "not registered")
        for host in cloud.hosts
        if states.get(host.name) not in ("available", "active")
    }

    require(
        not wrong,
        "node-not-available",
        f"not ready in Ironic: {wrong}",
        fix="openstack overcloud node import, introspect, provide",
    )


@pytest.mark.check("undercloud.puppet_nova.uploaded", rests_on=("preflight.files",), source=ARTIFACTS)
def test_the_mended_puppet_nova_is_uploaded_where_the_release_needs_it(
    undercloud: Host, cloud: Cloud, environment: Environment
) -> None:
    """Packages of some releases have a puppet-nova that sets no alias on computes; its successor must be an artifact."""
    command = ". ~/stackrc && swift list overcloud-artifacts"
    if not release(str(cloud.release)).puppet_nova_needs_update:
        output_of(undercloud, ". ~/stackrc && openstack stack list -f value", timeout_s=120)
        return
    answer = undercloud.run(command, timeout_s=120)

    require(
        "puppet-modules.tar.gz" in answer.stdout,
        "puppet-nova-not-uploaded",
        "no puppet module in Swift: the packaged one writes no alias on computes",
        fix="upload-puppet-modules -d DIRECTORY, then deploy again",
    )


@pytest.mark.check("undercloud.overcloud.complete", rests_on=("undercloud.nodes.available",), source=ARTIFACTS)
def test_the_overcloud_is_deployed(undercloud: Host, environment: Environment) -> None:
    """The deploy of exactly our environment files ended in COMPLETE."""
    answer = output_of(undercloud, ". ~/stackrc && openstack stack list -f value", timeout_s=120).stdout

    require(
        "deploy" not in environment.failures,
        "deploy-failed",
        environment.failures.get("deploy", ""),
        fix="openstack stack failures list overcloud",
    )
    require(
        "_COMPLETE" in answer,
        "overcloud-not-complete",
        f"the overcloud stack is: {answer.strip() or 'not there'}",
        fix="openstack stack failures list overcloud, mend it, deploy again",
    )

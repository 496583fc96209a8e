"""What stands between files and scripts of a whole deployment: pools, registries, uploads, arguments, silent edits."""

from __future__ import annotations

from pathlib import Path

import pytest
from written import codes_in, findings_in

OWN = "{'start': '203.0.113.10', 'end': '203.0.113.50'}"
SUBNET = "openstack subnet create --network p --subnet-range 203.0.113.0/24"
REPOSITORY = "https://example.com/compute/cuda/repos/rhel9/x86_64/cuda-rhel9.repo"
DEPLOY = "#!/bin/bash\nset -e\nopenstack overcloud deploy --templates -e /home/stack/templates/gpu.yaml\n"
ALIASES = """
parameter_defaults:
  ControllerExtraConfig:
    nova::api::pci_alias:
      - {name: a1, vendor_id: "10de", product_id: "15f8"}
      - {name: a2, vendor_id: "10de", product_id: "1db4"}
"""


@pytest.mark.parametrize(("release", "found"), [("newton", True), ("ocata", True), ("queens", False)])
def test_several_aliases_are_joined_by_old_modules(tmp_path: Path, release: str, found: bool) -> None:
    """The packaged puppet-nova of Newton and Ocata makes one value of several aliases."""
    files = {"templates/gpu.yaml": ALIASES, "deploy.sh": DEPLOY}

    assert ("GP115" in codes_in(tmp_path, files, release)) == found


@pytest.mark.parametrize("key", ["OS::TripleO::NodeUserData", "OS::TripleO::ComputeGpu::NodeUserData"])
def test_a_registry_that_the_deploy_never_gets_is_found(tmp_path: Path, key: str) -> None:
    """A first-boot mapping in a file that no -e names is as lost as a parameter."""
    files = {
        "templates/gpu.yaml": "parameter_defaults: {}\n",
        "templates/first.yaml": f"resource_registry:\n  {key}: boot.yaml\n",
        "deploy.sh": DEPLOY,
    }
    assert codes_in(tmp_path, files, "ocata") == ["GP109"]

    files["deploy.sh"] = DEPLOY.replace("gpu.yaml", "gpu.yaml -e /home/stack/templates/first.yaml")
    assert codes_in(tmp_path, files, "ocata") == []


@pytest.mark.parametrize(
    "line",
    [
        "sed -i 's/rhgb quiet/rhgb quiet intel_iommu=on/' /etc/default/grub",
        "sed -i 's/quiet/quiet iommu=pt/' /etc/sysconfig/grub",
        "sed -i -e 's/crashkernel=auto/crashkernel=auto intel_iommu=on/' \\\n  /etc/default/grub",
        "sed -i 's/quiet/quiet vfio-pci.ids=10de:15f8/' /etc/default/grub",
    ],
)
def test_an_edit_that_may_change_nothing_is_found_in_any_script(tmp_path: Path, line: str) -> None:
    """Whichever file and argument, on one line or two: nothing looks whether a line matched."""
    assert "GP402" in codes_in(tmp_path, {"host.sh": f"#!/bin/bash\n{line}\n"})


@pytest.mark.parametrize(
    ("pool", "found"),
    [
        ("start=203.0.113.10,end=203.0.113.50", True),
        ("start=203.0.113.50,end=203.0.113.99", True),
        ("start=203.0.113.1,end=203.0.113.254", True),
        ("start=203.0.113.51,end=203.0.113.99", False),
        ("start=10.0.0.10,end=10.0.0.50", False),
        ("start=$FIRST,end=$LAST", False),
    ],
)
def test_two_who_give_out_the_same_addresses(tmp_path: Path, pool: str, found: bool) -> None:
    """A subnet's pool does not overlap with the deployment's own."""
    files = {
        "network.yaml": f"parameter_defaults:\n  ExternalAllocationPools: [{OWN}]\n",
        "net.sh": f"#!/bin/bash\n{SUBNET} --allocation-pool {pool} s\n",
    }
    assert ("GP519" in codes_in(tmp_path, files)) == found


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ("```\n$ openstack flavor create --ram 1024 --vcpus 2\n```\n", ["GP621"]),
        ("```\n(overcloud) $ openstack quota set --cores 20\n```\n", ["GP621"]),
        ("    $ openstack stack create tenant\n", ["GP621"]),
        ("```\nopenstack stack create \\\n  -t tenant.yaml \\\n  tenant\n```\n", []),
        ("```\nopenstack network create --disable-port-security name\n```\n", []),
        ("openstack flavor create is the command for it.\n", []),
        ("```\n$ openstack role add --user u --project p member  # the tenant\n```\n", []),
        ("```\n$ openstack flavor create ${OPTIONS[@]}\n```\n", []),
    ],
)
def test_the_commands_of_a_page_are_complete(tmp_path: Path, page: str, found: list[str]) -> None:
    """A command of a README that stops for want of an argument is found at its line."""
    assert [item.code for item in findings_in(tmp_path, {"README.md": page})] == found


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("rpm -ivh cuda-10.0.130-1.x86_64.rpm", True),
        ("yum -y install https://example.com/x86_64/cuda-10.0.130-1.x86_64.rpm", True),
        ("dpkg -i cuda-toolkit-12.4_amd64.deb", True),
        ("rpm -i https://example.com/cuda-repo-rhel8-12.4.0.x86_64.rpm", False),
        (f"dnf config-manager --add-repo {REPOSITORY}\ndnf install -y cuda-12-4", False),
    ],
)
def test_a_package_needs_its_repository(tmp_path: Path, line: str, found: bool) -> None:
    """CUDA's metapackage alone brings nothing."""
    assert ("GP719" in codes_in(tmp_path, {"cuda.sh": f"#!/bin/bash\nset -e\n{line}\n"})) == found

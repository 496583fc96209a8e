"""Preflight finds what stands wrong in files, and leaves correct files alone."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from preflight.cli import inspect, main
from preflight.rules import catalogue

GOOD_ENVIRONMENT = """
parameter_defaults:
  NovaPCIPassthrough:
    - vendor_id: "10de"
      product_id: "15f8"
  NovaSchedulerDefaultFilters: [ComputeFilter, PciPassthroughFilter, NUMATopologyFilter]
  ExtraConfig:
    nova::pci::aliases:
      - {name: a1, vendor_id: "10de", product_id: "15f8", device_type: type-PCI}
  ComputeParameters:
    KernelArgs: intel_iommu=on iommu=pt
"""
GOOD_TEMPLATE = """
heat_template_version: 2016-10-14
parameters:
  project_password: {type: string, hidden: true}
resources:
  flavor:
    type: OS::Nova::Flavor
    properties:
      {name: gpu, ram: 16384, vcpus: 8, disk: 40, is_public: false, extra_specs: {"pci_passthrough:alias": "a1:1"}}
  user:
    type: OS::Keystone::User
    properties: {name: u, password: {get_param: project_password}, roles: [{role: member, project: p}]}
outputs:
  flavor: {value: {get_resource: flavor}}
"""
GOOD_SCRIPT = """#!/bin/bash
set -e
openstack overcloud deploy --templates \\
  -e /home/stack/node-info.yaml \\
  -e /usr/share/openstack-tripleo-heat-templates/environments/host-config-and-reboot.yaml \\
  --timeout 90
"""


def codes(folder: Path, release: str | None = "queens", **files: str) -> list[str]:
    """Write the files (`a__yaml` is a.yaml, `sub___a__yaml` is sub/a.yaml) and return the findings' codes."""
    for name, text in files.items():
        path = folder / name.replace("___", "/").replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return [finding.code for finding in inspect([folder], release)[1]]


def test_a_correct_deployment_has_no_finding(tmp_path: Path):
    """Files without a mistake have no finding."""
    found = codes(tmp_path, env__yaml=GOOD_ENVIRONMENT, stack__yaml=GOOD_TEMPLATE, deploy__sh=GOOD_SCRIPT)

    assert found == []


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("parameter_defaults:", "parameter_defaults: [", "GP101"),
        ("  ExtraConfig:", "  ExtraConfig: {}\n  ExtraConfig:", "GP103"),
        ("NovaPCIPassthrough", "NovaPciPassthrough", "GP104"),
        ('product_id: "15f8"\n', "product_id: 1528\n", "GP201"),
        ('product_id: "15f8", device', 'product_id: "15F8", device', "GP202"),
        ('product_id: "15f8"\n', 'product_id: "15g8"\n', "GP202"),
        ("  ExtraConfig:", "  ControllerExtraConfig:", "GP204"),
        ("  ExtraConfig:", "  ComputeExtraConfig:", "GP205"),
        ('product_id: "15f8"\n', 'product_id: "15f7"\n', "GP206"),
        ("name: a1", "name: 'a 1'", "GP210"),
        ('name: a1, vendor_id: "10de", ', "", "GP212"),
        ('vendor_id: "10de"\n', 'vendor_id: "10de"\n      devname: eth0\n', "GP213"),
        ("PciPassthroughFilter, ", "", "GP301"),
        ("PciPassthroughFilter", "PciPassthroughFilte", "GP302"),
        ("[ComputeFilter,", "[ComputeFilter, TypeAffinityFilter,", "GP303"),
        ("[ComputeFilter, PciPassthroughFilter, NUMATopologyFilter]", "ComputeFilter PciPassthroughFilter", "GP304"),
        ("intel_iommu=on iommu=pt", "quiet", "GP401"),
        ("intel_iommu=on iommu=pt", "iommu=pt", "GP406"),
        ("iommu=pt", "vfio_iommu_type1.allow_unsafe_interrupts=1", "GP906"),
    ],
)
def test_one_mistake_in_the_environment_is_found(tmp_path: Path, old: str, new: str, code: str):
    """A mistake in an otherwise correct environment file is found by its rule."""
    assert old in GOOD_ENVIRONMENT

    found = codes(tmp_path, env__yaml=GOOD_ENVIRONMENT.replace(old, new, 1))

    assert code in found


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("OS::Nova::Flavor", "OS::Nova::Flavour", "GP501"),
        ("vcpus: 8", "vcpu: 8", "GP502"),
        (" ram: 16384,", "", "GP503"),
        ("{get_resource: flavor}", "{make_url: {host: h}}", "GP504"),
        ("2016-10-14", "2016-10-15", "GP505"),
        ("{get_resource: flavor}", "{get_resource: flavors}", "GP506"),
        ("{get_resource: flavor}", "{get_attr: [flavor, colour]}", "GP507"),
        ("disk: 40, ", "", "GP508"),
        ("{get_param: project_password}", "secret", "GP511"),
        ("a1:1", "a9:1", "GP208"),
        ("a1:1", "a1:x", "GP215"),
        ("hidden: true", "hidden: true, default: redhat", "GP901"),
        (", hidden: true", "", "GP902"),
        (" is_public: false,", "", "GP904"),
    ],
)
def test_one_mistake_in_the_stack_is_found(tmp_path: Path, old: str, new: str, code: str):
    """A mistake in an otherwise correct Heat template is found by its rule."""
    assert old in GOOD_TEMPLATE

    found = codes(tmp_path, env__yaml=GOOD_ENVIRONMENT, stack__yaml=GOOD_TEMPLATE.replace(old, new, 1))

    assert code in found


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("openstack overcloud deploy --templates \\\n  -e a.yaml\n  --timeout 90", "GP601"),
        ("openstack overcloud deploy \\ \n --templates", "GP602"),
        ("openstack quota set --cores 28 t1\nopenstack project create t1", "GP603"),
        ("openstack stack create -t a.yaml one\nopenstack stack create -t b.yaml two", "GP604"),
        ("make -j $(grep -c Skylake /proc/cpuinfo) -C samples", "GP606"),
        ("make -C samples -Wno-deprecated-gpu-targets", "GP607"),
        ("mkdir ~/images\nopenstack image list", "GP608"),
        ("virt-customize -a i.qcow2 --run-command 'yum install -y kernel-devel-$(uname -r)'", "GP701"),
        ("virt-customize -a i --install kernel-devel-3.10\nvirt-customize -a i --update", "GP702"),
        ("yum install -y cuda && /usr/local/cuda-9.0/bin/cuda-install-samples-9.0.sh .", "GP703"),
        ("rpm -i http://h/cuda-repo-rhel7-8.0.61-1.x86_64.rpm; ls /usr/local/cuda-9.0/bin", "GP704"),
        ("virt-customize -a i --run-command 'subscription-manager register'", "GP707"),
        ("openstack flavor create --vcpus 8 f\nopenstack quota set --cores 4 t1", "GP801"),
        ("openstack overcloud deploy --timeout 5", "GP803"),
        ("virt-customize -a i --root-password password:redhat", "GP903"),
        ("openstack image create --public x", "GP905"),
    ],
)
def test_one_mistake_in_a_script_is_found(tmp_path: Path, line: str, code: str):
    """A mistake in a script is found by its rule."""
    assert code in codes(tmp_path, script__sh=f"#!/bin/bash\n{line}\n")


def test_a_typing_error_of_the_shell_is_found(tmp_path: Path):
    """An error that shellcheck knows is a finding under shellcheck's code."""
    found = codes(tmp_path, bind__sh="#!/bin/bash\nif [-e /sys/bus/pci/drivers/vfio-pci ]; then echo bound; fi\n")

    assert any(code.startswith("SC") for code in found)


def test_each_role_with_cards_needs_the_alias(tmp_path: Path):
    """The alias has to be set for each role that has cards."""
    card = '{vendor_id: "10de", product_id: "15f8"}'
    alias = f"nova::pci::aliases: [{card[:-1]}, name: a1}}]"
    text = f"""
parameter_defaults:
  ControllerExtraConfig: {{{alias}}}
  ComputeExtraConfig: {{{alias}}}
  ComputeParameters: {{NovaPCIPassthrough: [{card}], KernelArgs: intel_iommu=on}}
  ComputeGpuParameters: {{NovaPCIPassthrough: [{card}], KernelArgs: intel_iommu=on}}
  NovaSchedulerDefaultFilters: [ComputeFilter, PciPassthroughFilter]
"""
    assert codes(tmp_path, env__yaml=text) == ["GP204"]
    assert codes(tmp_path, env__yaml=text + f"  ComputeGpuExtraConfig: {{{alias}}}\n") == []


@pytest.mark.parametrize("written", ["1528", "0010", "1e30", "0x15f8", "15_28", "'15f8x'"])
def test_ids_that_some_reader_takes_for_a_number_are_found(tmp_path: Path, written: str):
    """An id that YAML or Ruby may read as a number is found."""
    found = codes(tmp_path, env__yaml=GOOD_ENVIRONMENT.replace('product_id: "15f8"\n', f"product_id: {written}\n"))

    assert {"GP201", "GP202"} & set(found)


@pytest.mark.parametrize("written", ["15f8", "'15f8'", '"15f8"', "0fb8"])
def test_ids_that_every_reader_takes_for_text_pass(tmp_path: Path, written: str):
    """An id that each reader takes as text is no finding."""
    text = GOOD_ENVIRONMENT.replace('product_id: "15f8"', f"product_id: {written}")

    assert codes(tmp_path, env__yaml=text) == []


def test_a_yml_file_in_an_environment_directory_is_found(tmp_path: Path):
    """A file with the ending that TripleO passes over is found."""
    assert "GP102" in codes(tmp_path, environments___a__yml=GOOD_ENVIRONMENT)


def test_a_finding_tells_line_column_and_what_to_write(tmp_path: Path):
    """A finding has line, column and the text to write."""
    codes(tmp_path, env__yaml=GOOD_ENVIRONMENT.replace('product_id: "15f8"\n', "product_id: 1528\n"))

    finding = next(item for item in inspect([tmp_path], "queens")[1] if item.code == "GP201")

    assert (finding.location.line, finding.location.column) == (5, 19)
    assert finding.instead == 'product_id: "1528"'


@pytest.mark.parametrize("form", ["text", "json", "sarif", "junit"])
def test_every_output_names_the_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str):
    """Each output format names the code and is well-formed."""
    (tmp_path / "a.sh").write_text("#!/bin/bash\nmkdir /x\nopenstack image list\n")

    main([str(tmp_path), "--format", form])

    text = capsys.readouterr().out
    assert "GP608" in text
    if form in ("json", "sarif"):
        json.loads(text)
    if form == "junit":
        ElementTree.fromstring(text)  # noqa: S314


def test_fix_prints_a_patch_that_quotes_the_id(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """--fix prints a patch that quotes the id."""
    (tmp_path / "env.yaml").write_text(GOOD_ENVIRONMENT.replace('product_id: "15f8"\n', "product_id: 1528\n"))

    main([str(tmp_path), "--fix"])

    assert '+      product_id: "1528"' in capsys.readouterr().out


def test_a_missing_directory_is_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A directory that does not exist ends with 64."""
    assert main([str(tmp_path / "nowhere")]) == 64
    assert "no such file" in capsys.readouterr().err


def test_codes_are_unique():
    """No two rules share a code."""
    found = [rule.code for rule in catalogue()]

    assert len(found) == len(set(found))

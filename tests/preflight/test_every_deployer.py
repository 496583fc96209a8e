"""The same setup and the same mistakes in every deployer's own files: found there, fixed in its words."""

from __future__ import annotations

from pathlib import Path

import pytest
from written import findings_in, write

from preflight.cli import inspect
from preflight.words import dialects, words_of

SPEC = '{"vendor_id": "10de", "product_id": "1eb8"}'
ALIAS = '{"name": "t4", "vendor_id": "10de", "product_id": "1eb8", "device_type": "type-PF"}'
FILTERS = "ComputeFilter,PciPassthroughFilter"

NOVA_CONF = f"""[DEFAULT]
debug = true

[pci]
device_spec = {SPEC}
alias = {ALIAS}

[filter_scheduler]
enabled_filters = {FILTERS}
"""
KOLLA = {
    "etc/kolla/globals.yml": "kolla_base_distro: rocky\nenable_nova: yes\n",
    "etc/kolla/config/nova.conf": f"[pci]\nalias = {ALIAS}\n",
    "etc/kolla/config/nova/nova-scheduler.conf": f"[filter_scheduler]\nenabled_filters = {FILTERS}\n",
    "etc/kolla/config/nova/gpu-01/nova.conf": f"[pci]\ndevice_spec = {SPEC}\n",
}
KAYOBE = {
    f"etc/kayobe/{name.removeprefix('etc/')}": text for name, text in KOLLA.items() if not name.endswith("globals.yml")
}
ANSIBLE = f"""---
nova_device_spec:
  - '{SPEC}'
nova_pci_alias:
  - '{ALIAS}'
nova_scheduler_extra_filters:
  - PciPassthroughFilter
"""
ANSIBLE_OVERRIDES = f"""---
nova_nova_conf_overrides:
  pci:
    device_spec: '{SPEC}'
    alias: '{ALIAS}'
  filter_scheduler:
    enabled_filters: {FILTERS}
"""
CONTROL_PLANE = f"""apiVersion: core.openstack.org/v1beta1
kind: OpenStackControlPlane
metadata:
  name: controlplane
spec:
  nova:
    template:
      apiServiceTemplate:
        customServiceConfig: |
          [pci]
          alias = {ALIAS}
      schedulerServiceTemplate:
        customServiceConfig: |
          [filter_scheduler]
          enabled_filters = {FILTERS}
"""
NODE_SET = f"""---
apiVersion: v1
kind: ConfigMap
metadata:
  name: gpu-nova
data:
  03-gpu-nova.conf: |
    [pci]
    device_spec = {SPEC}
    alias = {ALIAS}
---
apiVersion: dataplane.openstack.org/v1beta1
kind: OpenStackDataPlaneService
metadata: {{name: nova-custom-gpu}}
spec:
  dataSources: [{{configMapRef: {{name: gpu-nova}}}}]
"""
KUSTOMIZE = {
    "control-plane/service-values.yaml": f"""apiVersion: v1
kind: ConfigMap
metadata: {{name: service-values}}
data:
  nova:
    apiServiceTemplate:
      customServiceConfig: |
        [pci]
        alias = {ALIAS}
    schedulerServiceTemplate:
      customServiceConfig: |
        [filter_scheduler]
        enabled_filters = {FILTERS}
""",
    "edpm/nodeset/values.yaml": f"""apiVersion: v1
kind: ConfigMap
metadata: {{name: edpm-nodeset-values}}
data:
  nova:
    pci:
      conf: |
        [pci]
        device_spec = {SPEC}
        alias = {ALIAS}
""",
}
HELM = f"""---
conf:
  nova:
    filter_scheduler:
      enabled_filters: {FILTERS}
    pci:
      alias:
        type: multistring
        values:
          - '{ALIAS}'
  overrides:
    nova_compute:
      hosts:
        - name: gpu-01
          conf:
            nova:
              pci:
                device_spec: >-
                  {SPEC}
"""
ATMOSPHERE = "nova_helm_values:\n" + "".join(f"  {line}\n" for line in HELM.splitlines()[1:])
SUNBEAM = """core:
  config:
    pci:
      device_specs:
        - vendor_id: "10de"
          product_id: "1eb8"
      aliases:
        - name: t4
          vendor_id: "10de"
          product_id: "1eb8"
          device_type: type-PF
"""
JUJU = f"""applications:
  nova-cloud-controller:
    charm: nova-cloud-controller
    options:
      scheduler-default-filters: {FILTERS}
      pci-alias: '{ALIAS}'
  nova-compute:
    charm: nova-compute
    options:
      pci-passthrough-whitelist: '[{SPEC}]'
      pci-alias: '{ALIAS}'
"""
LOCAL_CONF = f"""[[local|localrc]]
ADMIN_PASSWORD=x

[[post-config|$NOVA_CONF]]
[pci]
device_spec = {SPEC}
alias = {ALIAS}
[filter_scheduler]
enabled_filters = {FILTERS}
"""
HERE_DOCUMENT = f"""#!/bin/bash
set -e
cat <<'EOF' | sudo tee /etc/nova/nova.conf.d/gpu.conf
[pci]
device_spec = {SPEC}
alias = {ALIAS}
[filter_scheduler]
enabled_filters = {FILTERS}
EOF
"""
HELM_BY_SCRIPT = f"""#!/bin/bash
set -xe
tee $OVERRIDES/nova.yaml <<EOF
{HELM.removeprefix("---")}
EOF
helm upgrade --install nova ./nova -f $OVERRIDES/nova.yaml
"""
ANSIBLE_SET = f"""---
nova_nova_conf_overrides:
  pci:
    ? device_spec: '{SPEC}'
    ? alias: '{ALIAS}'
  filter_scheduler:
    enabled_filters: [ComputeFilter, PciPassthroughFilter]
"""
PLAYBOOK = f"""- hosts: all
  tasks:
    - name: Give the cards
      ansible.builtin.blockinfile:
        path: /etc/nova/nova.conf
        block: |
          [pci]
          device_spec = {SPEC}
          alias = {ALIAS}
          [filter_scheduler]
          enabled_filters = {FILTERS}
"""
RIGHT: dict[str, tuple[str, dict[str, str]]] = {
    "nova.conf": ("nova", {"nova.conf": NOVA_CONF}),
    "conf.d": ("nova", {"etc/nova/nova.conf.d/99-gpu.conf": NOVA_CONF}),
    "kolla": ("kolla", KOLLA),
    "kayobe": ("kayobe", KAYOBE),
    "openstack-ansible": ("openstack-ansible", {"user_variables.yml": ANSIBLE}),
    "openstack-ansible overrides": ("openstack-ansible", {"user_variables.yml": ANSIBLE_OVERRIDES}),
    "openstack-ansible set": ("openstack-ansible", {"user_variables.yml": ANSIBLE_SET}),
    "openstack-helm by script": ("openstack-helm", {"setup.sh": HELM_BY_SCRIPT}),
    "rhoso": ("rhoso", {"controlplane.yaml": CONTROL_PLANE, "nodeset.yaml": NODE_SET}),
    "rhoso kustomize": ("rhoso", KUSTOMIZE),
    "openstack-helm": ("openstack-helm", {"nova-helm-overrides.yaml": HELM}),
    "atmosphere": ("atmosphere", {"group_vars/all/nova.yml": ATMOSPHERE}),
    "sunbeam": ("sunbeam", {"manifest.yaml": SUNBEAM}),
    "juju": ("juju", {"bundle.yaml": JUJU}),
    "devstack": ("devstack", {"local.conf": LOCAL_CONF}),
    "here-document": ("nova", {"setup.sh": HERE_DOCUMENT}),
    "blockinfile": ("nova", {"gpu.yml": PLAYBOOK}),
}
FIXED_FILTERS = {"sunbeam"}
"""Deployers where nobody sets the filters."""


def edited(files: dict[str, str], *changes: tuple[str, str]) -> dict[str, str]:
    """The files with each text replaced wherever it stands first in a file; it has to stand somewhere."""
    for old, new in changes:
        assert any(old in text for text in files.values()), old
        files = {name: text.replace(old, new, 1) for name, text in files.items()}
    return files


@pytest.mark.parametrize("form", RIGHT)
def test_what_is_right_passes_and_is_understood(tmp_path: Path, form: str) -> None:
    """The setup has no finding, every file of it is understood, and the options are the deployer's."""
    dialect, files = RIGHT[form]
    assert findings_in(tmp_path, files) == []

    read = inspect([tmp_path])[0]
    assert set(read.kinds) == set(read.texts)
    assert read.unjudged == {}
    assert {option.scope.dialect for option in read.settings} == {dialect}


def test_each_deployer_has_a_setup() -> None:
    """Every deployer whose words we have is tried."""
    assert {dialect for dialect, _ in RIGHT.values()} | {"tripleo"} == set(dialects())


def spec_of_another_card(form: str) -> tuple[str, str]:
    """The change that makes the whitelist name another card than the alias."""
    if form == "sunbeam":
        return '"1eb8"\n      aliases', '"15f8"\n      aliases'
    return SPEC, SPEC.replace("1eb8", "15f8")


@pytest.mark.parametrize("form", RIGHT)
def test_an_alias_for_another_card_is_found(tmp_path: Path, form: str) -> None:
    """No whitelist entry allows what the alias asks for; the fix names the deployer's own setting."""
    dialect, files = RIGHT[form]
    found = findings_in(tmp_path, edited(files, spec_of_another_card(form)))

    assert {item.code for item in found} == {"GP206"}
    assert all(words_of(dialect).device_spec in item.instead for item in found)


@pytest.mark.parametrize("form", RIGHT)
def test_a_missing_filter_is_found(tmp_path: Path, form: str) -> None:
    """The scheduler's list lacks PciPassthroughFilter."""
    dialect, files = RIGHT[form]
    if dialect in FIXED_FILTERS:
        pytest.skip("the deployer sets the filters itself")
    special = {
        "openstack-ansible": ("  - PciPassthroughFilter", "  - BlazarFilter"),
        "openstack-ansible set": (", PciPassthroughFilter", ""),
    }
    old, new = special.get(form, (FILTERS, "ComputeFilter"))

    found = findings_in(tmp_path, edited(files, (old, new)))

    assert [item.code for item in found] == ["GP301"]


@pytest.mark.parametrize("form", RIGHT)
def test_the_wrong_type_of_a_t4_is_found_at_its_place(tmp_path: Path, form: str) -> None:
    """A T4 is type-PF: the finding points at the value, in the file and line where it stands."""
    _, files = RIGHT[form]
    found = findings_in(tmp_path, edited(files, ("type-PF", "type-PCI")))

    assert {item.code for item in found} == {"GP209"}
    for item in found:
        line = item.location.path.read_text().splitlines()[item.location.line - 1]
        assert line[item.location.column - 1 :].startswith(('"type-PCI"', "type-PCI")), (item.location, line)


MISSPELT = {
    "openstack-ansible": (("nova_pci_alias:", "nova_pci_aliases:"), "GP237"),
    "sunbeam": (("device_specs:", "device_spec:"), "GP237"),
    "juju": (("pci-passthrough-whitelist:", "pci_passthrough_whitelist:"), "GP237"),
}


@pytest.mark.parametrize("form", RIGHT)
def test_a_misspelt_setting_is_found(tmp_path: Path, form: str) -> None:
    """A name that nothing reads is found, with the name that is meant."""
    _, files = RIGHT[form]
    change, code = MISSPELT.get(form, (("enabled_filters", "enabled_filtes"), "GP232"))

    found = [item for item in findings_in(tmp_path, edited(files, change)) if item.code == code]

    assert found
    assert change[0].strip(":") in found[0].instead
    line = found[0].location.path.read_text().splitlines()[found[0].location.line - 1]
    assert line[found[0].location.column - 1 :].startswith(change[1].strip(":"))


@pytest.mark.parametrize("form", RIGHT)
@pytest.mark.parametrize("product", ["1EB8", "0x1eb8"])
def test_capitals_of_a_whitelisted_id_are_no_mistake(tmp_path: Path, form: str, product: str) -> None:
    """Nova reads the id as a number."""
    old, new = spec_of_another_card(form)
    _, files = RIGHT[form]

    assert findings_in(tmp_path, edited(files, (old, new.replace("15f8", product)))) == []


@pytest.mark.parametrize("form", RIGHT)
def test_a_product_that_nobody_makes_is_found(tmp_path: Path, form: str) -> None:
    """An id that NVIDIA gave to no product is found, in whitelist and alias."""
    _, files = RIGHT[form]
    changed = {name: text.replace("1eb8", "15f6") for name, text in files.items()}

    assert "GP203" in {item.code for item in findings_in(tmp_path, changed)}


@pytest.mark.parametrize(
    ("form", "old"),
    [
        ("kolla", f"[pci]\nalias = {ALIAS}\n"),
        ("rhoso", f"          [pci]\n          alias = {ALIAS}\n"),
        ("rhoso kustomize", f"        [pci]\n        alias = {ALIAS}\n"),
        ("juju", f"      pci-alias: '{ALIAS}'\n  nova-compute"),
    ],
)
def test_an_alias_that_the_api_does_not_have_is_found(tmp_path: Path, form: str, old: str) -> None:
    """The alias is set for computes only: nova-api refuses the flavor."""
    _, files = RIGHT[form]
    new = "          [api]\n" if "rhoso" in form else "  nova-compute" if form == "juju" else "[api]\n"
    changed = edited(files, (old, new))
    if form == "kolla":
        changed["etc/kolla/config/nova/nova-compute.conf"] = f"[pci]\nalias = {ALIAS}\n"
        changed["etc/kolla/config/nova/nova-api.conf"] = changed.pop("etc/kolla/config/nova.conf")

    assert "GP205" in {item.code for item in findings_in(tmp_path, changed)}


@pytest.mark.parametrize("form", ["rhoso", "rhoso kustomize", "juju", "kolla"])
def test_an_alias_that_the_computes_do_not_have_is_found(tmp_path: Path, form: str) -> None:
    """The alias is set for the API only: moves of instances fail."""
    _, files = RIGHT[form]
    if form == "kolla":
        changed = {**files, "etc/kolla/config/nova/nova-api.conf": files["etc/kolla/config/nova.conf"]}
        del changed["etc/kolla/config/nova.conf"]
    else:
        last = f"      pci-alias: '{ALIAS}'\n" if form == "juju" else f"    alias = {ALIAS}\n"
        changed = {name: _without_last(text, last) for name, text in files.items()}

    found = findings_in(tmp_path, changed)

    assert [item.code for item in found] == ["GP204"]


def _without_last(text: str, line: str) -> str:
    """The text without the last occurrence of a line, where device specs or the compute's options stand, too."""
    if "device_spec" not in text and "whitelist" not in text:
        return text
    head, found, tail = text.rpartition(line)
    assert found
    return head.rstrip(" ") + tail


def test_no_filter_at_all_is_found_where_the_default_lacks_it(tmp_path: Path) -> None:
    """kolla, OpenStack-Ansible and Helm charts leave Nova's own list, which has no PciPassthroughFilter."""
    for form, lines in {
        "kolla": [f"enabled_filters = {FILTERS}\n"],
        "openstack-ansible": ["nova_scheduler_extra_filters:\n  - PciPassthroughFilter\n"],
        "openstack-helm": [f"    filter_scheduler:\n      enabled_filters: {FILTERS}\n"],
        "juju": [f"      scheduler-default-filters: {FILTERS}\n"],
    }.items():
        _, files = RIGHT[form]
        changed = edited(files, *((line, "") for line in lines))

        assert [item.code for item in findings_in(tmp_path / form, changed)] == ["GP305"], form


def test_no_filter_at_all_is_right_where_the_default_has_it(tmp_path: Path) -> None:
    """The nova operator's own list has PciPassthroughFilter, and so has Atmosphere's."""
    _, files = RIGHT["rhoso"]
    assert findings_in(tmp_path / "rhoso", edited(files, (f"enabled_filters = {FILTERS}", "workers = 2"))) == []

    _, files = RIGHT["atmosphere"]
    lines = f"      filter_scheduler:\n        enabled_filters: {FILTERS}\n"
    assert findings_in(tmp_path / "atmosphere", edited(files, (lines, ""))) == []


def test_filters_that_only_the_api_reads_are_not_the_schedulers(tmp_path: Path) -> None:
    """The list has to stand in the scheduler's file."""
    _, files = RIGHT["kolla"]
    moved = {name.replace("nova-scheduler", "nova-api"): text for name, text in files.items()}

    assert [item.code for item in findings_in(tmp_path, moved)] == ["GP305"]


def test_a_mapping_as_alias_is_written_in_pythons_form(tmp_path: Path) -> None:
    """OpenStack-Ansible writes each alias as it is: a mapping becomes no JSON."""
    mapping = '{name: t4, vendor_id: "10de", product_id: "1eb8", device_type: type-PF}'
    _, files = RIGHT["openstack-ansible"]

    found = findings_in(tmp_path, edited(files, (f"'{ALIAS}'", mapping)))

    assert [item.code for item in found] == ["GP227"]


def test_a_list_of_aliases_in_helm_values_is_joined_by_commas(tmp_path: Path) -> None:
    """The chart joins a list's elements with commas: several aliases need `type: multistring`."""
    _, files = RIGHT["openstack-helm"]
    second = ALIAS.replace("t4", "t4b")
    several = edited(
        files,
        ("        type: multistring\n        values:\n", ""),
        ("          - ", f"        - '{second}'\n        - "),
    )

    assert "GP227" in {item.code for item in findings_in(tmp_path, several)}


def test_a_text_as_list_of_aliases_is_taken_letter_by_letter(tmp_path: Path) -> None:
    """OpenStack-Ansible loops over the aliases: one text is no list."""
    _, files = RIGHT["openstack-ansible"]

    found = findings_in(tmp_path, edited(files, (f"\n  - '{ALIAS}'", f" '{ALIAS}'")))

    assert [item.code for item in found] == ["GP227"]
    assert "letter by letter" in found[0].why


def test_a_charm_takes_a_list_of_aliases(tmp_path: Path) -> None:
    """The charms write a line for each alias of a list."""
    _, files = RIGHT["juju"]
    changed = {name: text.replace(f"'{ALIAS}'", f"'[{ALIAS}]'") for name, text in files.items()}

    assert findings_in(tmp_path, changed) == []


def test_a_services_own_file_replaces_what_all_have(tmp_path: Path) -> None:
    """kolla takes the alias of nova-compute.conf there, and no longer that of nova.conf."""
    _, files = RIGHT["kolla"]
    other = ALIAS.replace('"t4"', '"t4b"')
    changed = {**files, "etc/kolla/config/nova/nova-compute.conf": f"[pci]\nalias = {other}\n"}

    found = findings_in(tmp_path, changed)

    assert sorted(item.code for item in found) == ["GP204", "GP205"]


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("nova.conf", True),
        ("global.conf", True),
        ("nova/nova-compute.conf", True),
        ("nova/gpu-01/nova.conf", True),
        ("nova/gpu-01/nova-compute.conf", True),
        ("nova-compute.conf", False),
        ("nova/nova.conf", False),
        ("nova/compute.conf", False),
        ("nova/nova-compute/extra/nova.conf", False),
    ],
)
@pytest.mark.parametrize("folder", ["etc/kolla/config", "etc/kayobe/kolla/config"])
def test_kolla_reads_files_of_certain_names(tmp_path: Path, folder: str, name: str, right: bool) -> None:
    """What lies elsewhere in the configuration directory is passed over without a word."""
    found = findings_in(tmp_path, {f"{folder}/{name}": f"[pci]\ndevice_spec = {SPEC}\n"})

    assert [item.code for item in found] == ([] if right else ["GP239"])


KERNEL = """apiVersion: dataplane.openstack.org/v1beta1
kind: OpenStackDataPlaneNodeSet
metadata: {{name: gpus}}
spec:
  nodeTemplate:
    ansible:
      ansibleVars:
        edpm_kernel_args: "{0}"
"""
GRUB = 'GRUB_TIMEOUT=5\nGRUB_CMDLINE_LINUX_DEFAULT="{0}"\n'


@pytest.mark.parametrize(
    ("arguments", "vendors", "codes"),
    [
        ("intel_iommu=on iommu=pt vfio-pci.ids=10de:1eb8", {"intel"}, []),
        ("hugepages=16 vfio-pci.ids=10de:1eb8", {"intel"}, ["GP401"]),
        ("hugepages=16 vfio-pci.ids=10de:1eb8", set(), []),
        ("iommu=pt", {"intel"}, ["GP406"]),
        ("iommu=pt", {"amd"}, []),
        ("iommu=pt", set(), []),
        ("intel_iommu=on", {"amd"}, ["GP405"]),
        ("intel_iommu=on vfio-pci.ids=10de:20b5", {"intel"}, ["GP416"]),
        ("intel_iommu=on vfio_iommu_type1.allow_unsafe_interrupts=1", set(), ["GP906"]),
    ],
)
@pytest.mark.parametrize(
    ("form", "name", "text"), [("rhoso", "gpus.yaml", KERNEL), ("kolla", "hosts/gpu-01/etc/default/grub", GRUB)]
)
def test_kernel_arguments_are_judged_with_the_cards(
    tmp_path: Path, form: str, name: str, text: str, arguments: str, vendors: set[str], codes: list[str]
) -> None:
    """Wherever kernel arguments stand, they switch the IOMMU on and bind the cards that are given."""
    _, files = RIGHT[form]
    write(tmp_path, {**files, name: text.format(arguments)})

    found = inspect([tmp_path], None, frozenset(vendors))[1]

    assert [item.code for item in found] == codes


def test_a_charm_is_known_by_its_own_name(tmp_path: Path) -> None:
    """Applications may have any name: the charm tells whose options they are."""
    _, files = RIGHT["juju"]
    renamed = edited(files, ("\n  nova-compute:", "\n  gpu-hosts:"), ("\n  nova-cloud-controller:", "\n  brain:"))
    assert findings_in(tmp_path, renamed) == []

    changed = edited(renamed, (f"      pci-alias: '{ALIAS}'\n  gpu-hosts", "  gpu-hosts"))
    assert [item.code for item in findings_in(tmp_path, changed)] == ["GP205"]

"""nova.conf is judged whole: filters, misplaced and misspelt options, classes, Placement, entries that give all."""

from __future__ import annotations

from pathlib import Path

import pytest
from written import codes_in, findings_in

CARD = '{"vendor_id": "10de", "product_id": "2331"}'
CLASSED = '{"vendor_id": "10de", "product_id": "2331", "resource_class": "%s"}'
ALIAS = '{"name": "h100", "vendor_id": "10de", "product_id": "2331", "device_type": "type-PF"}'
BY_CLASS = '{"name": "h100", "resource_class": "CUSTOM_GPUS", "device_type": "type-PF"}'
SCHEDULER = "[filter_scheduler]\nenabled_filters = ComputeFilter,PciPassthroughFilter\n"
RIGHT = f"[pci]\ndevice_spec = {CARD}\nalias = {ALIAS}\n{SCHEDULER}"


@pytest.mark.parametrize(
    ("old", "new", "codes"),
    [
        ("", "", []),
        (",PciPassthroughFilter", "", ["GP301"]),
        ("PciPassthroughFilter", "PciPasthroughFilter", ["GP302", "GP301"]),
        ("ComputeFilter,", "ComputeFilter,PciPassthruFilter,", ["GP302"]),
        ("ComputeFilter,", "ComputeFilter,PCIFilter,", ["GP302"]),
        ("ComputeFilter,", "ComputeFilter,FailureDomainFilter,BlazarFilter,", []),
        ("ComputeFilter,", "ComputeFilter,RetryFilter,RamFilter,CoreFilter,", ["GP303"] * 3),
        ("ComputeFilter,Pci", "nova.scheduler.filters.compute_filter.ComputeFilter, Pci", []),
        ("[pci]\ndevice_spec", "[DEFAULT]\ndevice_spec", ["GP225", "GP225"]),
        ("device_spec", "device_specs", ["GP225"]),
        ("device_spec", "device_spek", ["GP232"]),
        ("device_spec", "spec", ["GP232"]),
        ("[filter_scheduler]", "[filter_schedular]", ["GP232"]),
        ("[filter_scheduler]", "[scheduler]", ["GP232"]),
        ("enabled_filters", "enabled_filter", ["GP232"]),
        (CARD, '{"address": "*:*:*.*"}', ["GP235"]),
        (CARD, "{}", ["GP235"]),
        (CARD, '{"vendor_id": "*"}', ["GP235"]),
        (CARD, '{"product_id": "*", "address": "*"}', ["GP235"]),
        (CARD, '{"address": {"domain": ".*", "bus": ".*", "slot": ".*", "function": ".*"}}', ["GP235"]),
        (CARD, '{"address": "0000:3f:00.0"}', []),
        (CARD, '[{"address": "0000:3f:00.0"}, {"address": "0000:56:00.0"}]', []),
        (CARD, '{"address": {"domain": "0000", "bus": "3f", "slot": ".*", "function": "0"}}', []),
        (CARD, '{"vendor_id": "10de", "product_id": 2331}', ["GP202"]),
        (CARD, "{'vendor_id': '10de', 'product_id': '2331'}", ["GP227"]),
        (CARD, '{"vendor_id": "10de", "product_id": "2331", "one_time_use": "yes"}', ["GP234"]),
        (CARD, '{"vendor_id": "10de", "product_id": "2331", "device_type": "type-PF"}', []),
        (ALIAS, ALIAS.replace('"type-PF"', '"type-VDPA"'), ["GP217"]),
        (ALIAS, ALIAS.replace('"name": "h100", ', ""), ["GP212"]),
        (ALIAS, f"[{ALIAS}]", ["GP228"]),
        (ALIAS, f"{ALIAS},{ALIAS}", ["GP227"]),
    ],
)
def test_one_mistake_in_nova_conf_is_found(tmp_path: Path, old: str, new: str, codes: list[str]) -> None:
    """Each mistake has its code, at the line where it stands, and nothing else is said."""
    assert old in RIGHT

    found = findings_in(tmp_path, {"nova.conf": RIGHT.replace(old, new, 1)})

    assert sorted(item.code for item in found) == sorted(codes)
    assert all(1 < item.location.line + 1 <= RIGHT.count("\n") + 1 for item in found)


@pytest.mark.parametrize(
    ("options", "codes"),
    [
        (f"device_spec = {CLASSED % 'gpus'}\nreport_in_placement = true\nalias = {BY_CLASS}\n", ["GP233"]),
        (
            f"device_spec = {CLASSED % 'CUSTOM_GPU'}\nreport_in_placement = true\nalias = {BY_CLASS}\n",
            ["GP206", "GP233"],
        ),
    ],
)
def test_a_class_without_placement_means_nothing(tmp_path: Path, options: str, codes: list[str]) -> None:
    """A service that does not ask Placement wants both ids."""
    assert sorted(codes_in(tmp_path, {"nova.conf": f"[pci]\n{options}{SCHEDULER}"})) == codes


@pytest.mark.parametrize(("written", "found"), [("gpus", []), ("CUSTOM_GPUS", []), ("GPU", ["GP206"])])
def test_the_class_of_alias_and_card_is_the_same(tmp_path: Path, written: str, found: list[str]) -> None:
    """Nova makes capitals and CUSTOM_ of what is written."""
    text = f"[pci]\ndevice_spec = {CLASSED % written}\nreport_in_placement = true\nalias = {BY_CLASS}\n"

    assert codes_in(tmp_path, {"nova.conf": f"{text}{SCHEDULER}pci_in_placement = true\n"}) == found


def test_the_computes_own_file_has_to_ask_placement(tmp_path: Path) -> None:
    """pci_in_placement in the scheduler's file does not reach nova-compute, which reads the alias, too."""
    compute = f"[pci]\ndevice_spec = {CLASSED % 'gpus'}\nreport_in_placement = true\nalias = {BY_CLASS}\n"
    api = f"[pci]\nalias = {BY_CLASS}\n{SCHEDULER}pci_in_placement = true\n"
    files = {"controller-0/nova.conf": api, "compute-0/nova.conf": compute}

    found = findings_in(tmp_path, files)
    assert [(item.code, item.location.path.parent.name) for item in found] == [("GP233", "compute-0")]
    assert "nova-compute" in found[0].why

    files["compute-0/nova.conf"] += "[filter_scheduler]\npci_in_placement = true\n"
    assert codes_in(tmp_path, files) == []


def test_a_setting_without_a_section_is_one_of_default(tmp_path: Path) -> None:
    """A nova.conf without any section is read, and its settings are where Nova does not look for them."""
    assert codes_in(tmp_path, {"nova.conf": f"device_spec = {CARD}\n"}) == ["GP225"]


def test_a_continued_value_is_one_value(tmp_path: Path) -> None:
    """Indented lines continue the value, as oslo.config reads them."""
    text = RIGHT.replace('"vendor_id": "10de", "product_id"', '"vendor_id": "10de",\n   "product_id"', 1)

    assert codes_in(tmp_path, {"nova.conf": text}) == []


def test_a_field_is_found_at_its_column(tmp_path: Path) -> None:
    """A finding about a field of a JSON text points at the field's value."""
    text = RIGHT.replace("type-PF", "type-PCI")

    (found,) = findings_in(tmp_path, {"nova.conf": text})

    line = text.splitlines()[found.location.line - 1]
    assert line[found.location.column - 1 :].startswith('"type-PCI"')


NEWTON = """
parameter_defaults:
  NovaPCIPassthrough: [{vendor_id: "10de", product_id: "15f8"}]
  NovaSchedulerDefaultFilters: [RetryFilter, ComputeFilter, PciPassthroughFilter]
  controllerExtraConfig:
    nova::api::pci_alias: [{name: a1, vendor_id: "10de", product_id: "15f8"}]
"""
ON_COMPUTES = """  NovaComputeExtraConfig:
    nova::config::nova_config:
      DEFAULT/pci_alias: {value: '{"name": "a1", "vendor_id": "10de", "product_id": "15f8"}'}
"""


def test_on_newton_there_is_a_way_to_set_the_alias_on_computes(tmp_path: Path) -> None:
    """The fix that is named for computes is one that the release takes, and ends the finding."""
    (found,) = (item for item in findings_in(tmp_path, {"env.yaml": NEWTON}, "newton") if item.code != "GP401")
    assert found.code == "GP204"
    assert "nova::config::nova_config" in found.instead

    assert set(codes_in(tmp_path, {"env.yaml": NEWTON + ON_COMPUTES}, "newton")) <= {"GP401"}


SCRIPTS = {
    "crudini": "crudini --set /etc/nova/nova.conf pci device_spek '{card}'",
    "openstack-config": "openstack-config --set /etc/nova/nova.conf pci device_spek '{card}'",
    "iniset": "iniset $NOVA_CONF pci device_spek '{card}'",
    "here": "cat > /etc/nova/nova-compute.conf << EOF\n[pci]\ndevice_spek = {card}\nEOF",
    "here, quoted": "sudo tee -a /etc/nova/nova.conf <<'END' >/dev/null\n[pci]\ndevice_spek = {card}\nEND",
    "here, indented": "cat <<-EOF >> $CONF/nova.conf\n\t[pci]\n\tdevice_spek = {card}\n\tEOF",
    "oc patch": "oc patch openstackcontrolplane osp --patch '\nspec:\n  nova:\n    template:\n"
    "      apiServiceTemplate:\n        customServiceConfig: |\n          [pci]\n          device_spek = {card}\n'",
    "manifest": "oc apply -f - <<EOF\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: gpu}\n"
    "data:\n  03-gpu.conf: |\n\n    [pci]\n    device_spek = {card}\nEOF",
    "values": "tee nova.yaml <<EOF\nconf:\n  nova:\n    pci:\n      device_spek: '{card}'\nEOF",
    "here, other name": "cat <<EOF >> $FILE\n[pci]\ndevice_spek = {card}\nEOF",
}


@pytest.mark.parametrize("form", SCRIPTS)
def test_what_a_script_writes_is_read(tmp_path: Path, form: str) -> None:
    """Commands and here-documents that write nova.conf are judged like the file, at the script's line."""
    script = "#!/bin/bash\nset -e\n" + SCRIPTS[form].replace("{card}", CARD) + "\n"

    found = findings_in(tmp_path, {"run.sh": script})

    assert [item.code for item in found] == ["GP232"]
    assert "device_spek" in script.splitlines()[found[0].location.line - 1]


TASKS = {
    "ini_file": "ini_file: {path: /etc/nova/nova.conf, section: pci, option: device_spek, value: '{card}'}",
    "copy": "copy:\n        dest: /etc/kolla/config/nova/nova-compute.conf\n        content: |\n"
    "          [pci]\n          device_spek = {card}",
    "blockinfile": "blockinfile:\n        path: '{{ node_config }}/nova.conf'\n        block: |\n"
    "          [pci]\n          device_spek = {card}",
}


@pytest.mark.parametrize("form", TASKS)
def test_what_a_task_writes_is_read(tmp_path: Path, form: str) -> None:
    """Ansible's modules that write nova.conf are judged like the file."""
    task = TASKS[form].replace("{card}", CARD)

    found = findings_in(tmp_path, {"play.yml": f"- hosts: compute\n  tasks:\n    - name: x\n      {task}\n"})

    assert [item.code for item in found] == ["GP232"]


def test_settings_of_a_devices_other_service_are_not_novas(tmp_path: Path) -> None:
    """Sections of other services' files are left alone."""
    files = {
        "neutron.conf": "[DEFAULT]\nservice_plugins = trunk\n[ovs]\nbridge = br\n",
        "ceilometer.yaml": "data:\n  customServiceConfig: |\n    [DEFAULT]\n    polling = true\n",
    }
    assert codes_in(tmp_path, files) == []

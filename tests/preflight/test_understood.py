"""What was understood, what was not, and for which release: said in every output, and never passed over with 0."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from written import write

from preflight.cli import inspect, main

CLEAN, FOUND, NOT_JUDGED = 0, 1, 69
ENVIRONMENT = "parameter_defaults:\n  ComputeParameters: {KernelArgs: intel_iommu=on}\n"
UNKNOWN = "roles:\n  - name: web\n    port: 80\n"


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What the command prints on standard output."""
    main(arguments)
    return capsys.readouterr().out


def test_the_summary_counts_kinds_and_names_what_was_not_understood(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Files by kind, the others by name."""
    files = {"a.yaml": ENVIRONMENT, "b.yaml": ENVIRONMENT, "c.sh": "#!/bin/bash\ntrue\n", "d.yaml": UNKNOWN}
    write(tmp_path, {**files, "stack.yaml": "heat_template_version: 2016-10-14\nresources: {}\n"})

    text = shown(capsys, str(tmp_path))

    assert "understood: 1 Heat template, 2 environment files, 1 script" in text
    assert f"not understood: 1 file: {tmp_path / 'd.yaml'}" in text


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"a.yaml": ENVIRONMENT}, CLEAN),
        ({"a.yaml": ENVIRONMENT, "b.yaml": UNKNOWN}, CLEAN),
        ({"b.yaml": UNKNOWN}, NOT_JUDGED),
        ({"README.md": "pci_passthrough:alias\n"}, NOT_JUDGED),
        ({"a.yaml": ENVIRONMENT, "README.md": "pci_passthrough:alias\n"}, CLEAN),
        ({"a.yaml": ENVIRONMENT, "flavors.tf": 'extra_specs = {"pci_passthrough:alias" = "a1:1"}\n'}, NOT_JUDGED),
        ({"a.yaml": ENVIRONMENT, "nova.pp": "class { 'nova::compute::pci': device_specs => [] }\n"}, NOT_JUDGED),
        ({"a.yaml": ENVIRONMENT, "other.yaml": "cards: [{vendor: 10de}]\n"}, NOT_JUDGED),
        ({"a.yaml": ENVIRONMENT, "other.yaml": "# cards of 10de\ncards: []\n"}, CLEAN),
        ({"a.yaml": ENVIRONMENT, "x.yaml": "{% if x %}\nnova_pci_alias: []\n{% endif %}\n"}, NOT_JUDGED),
        ({"nova.conf": "[pci]\nalias = {{ alias | to_json }}\n"}, NOT_JUDGED),
    ],
)
def test_what_could_not_be_judged_is_never_accepted(tmp_path: Path, files: dict[str, str], code: int) -> None:
    """Nothing understood, or GPU settings that are not judged, end with 69."""
    write(tmp_path, files)

    assert main([str(tmp_path)]) == code


def test_an_error_counts_more_than_what_was_not_judged(tmp_path: Path) -> None:
    """Exit code 1 says that something is wrong for sure."""
    write(tmp_path, {"a.yaml": "parameter_defaults:\n  NovaPciPassthrough: []\n", "x.tf": "pci_passthrough\n"})

    assert main([str(tmp_path)]) == FOUND


def test_a_file_can_be_left_out(tmp_path: Path) -> None:
    """Who knows that a file is none of the deployment says so."""
    write(tmp_path, {"a.yaml": ENVIRONMENT, "terraform/x.tf": 'alias = "pci_passthrough:alias"\n'})

    assert main([str(tmp_path), "--exclude", "terraform/*"]) == CLEAN


@pytest.mark.parametrize("form", ["json", "sarif", "junit", "text"])
def test_every_output_tells_what_was_not_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    """Programs are told, too."""
    write(tmp_path, {"a.yaml": ENVIRONMENT, "gpu.tf": 'alias = "pci_passthrough:alias"\n'})

    text = shown(capsys, str(tmp_path), "--format", form)

    assert "gpu.tf" in text
    if form == "json":
        content = json.loads(text)
        assert content["not_judged"] == {str(tmp_path / "gpu.tf"): "of no kind that is read"}
        assert content["understood"] == {str(tmp_path / "a.yaml"): "environment file"}


@pytest.mark.parametrize(
    ("folder", "files", "name", "source"),
    [
        ("ocata-gpu", {"a.yaml": ENVIRONMENT}, "ocata", "guessed from the name of the directory ocata-gpu"),
        ("gpu", {"globals.yml": 'openstack_release: "2025.1"\n'}, "2025.1", "globals.yml says so"),
        (
            "gpu",
            {"b.yaml": "applications:\n  n:\n    options:\n      openstack-origin: cloud:jammy-caracal\n"},
            "2024.1",
            "b.yaml says so",
        ),
        (
            "gpu",
            {"b.yaml": "applications: {n: {charm: nova-compute, channel: 2024.1/stable}}\n"},
            "2024.1",
            "b.yaml says so",
        ),
        ("gpu", {".gitreview": "[gerrit]\ndefaultbranch=stable/2024.2\n"}, "2024.2", ".gitreview says so"),
        ("gpu", {"local.conf": "NOVA_BRANCH=stable/2025.2\n"}, "2025.2", "local.conf says so"),
        (
            "gpu",
            {"c.yaml": "apiVersion: core.openstack.org/v1beta1\nkind: OpenStackControlPlane\n"},
            "2023.1",
            "c.yaml says so",
        ),
        ("gpu", {"a.yaml": ENVIRONMENT}, None, "not known: --release tells it"),
        (
            "gpu",
            {"A.md": "openstack_release: yoga\n", "a.yml": "openstack_release: zed\n"},
            "zed",
            "a.yml says so",
        ),
        ("train-and-serve", {"globals.yml": "openstack_release: zed\n"}, "zed", "globals.yml says so"),
        (
            "gpu",
            {"a.yml": "openstack_release: zed\n", "b.yml": "openstack_release: yoga\n"},
            None,
            "not known: a.yml says zed, b.yml says yoga",
        ),
    ],
)
def test_the_release_and_what_says_so(
    tmp_path: Path, folder: str, files: dict[str, str], name: str | None, source: str
) -> None:
    """What the files say counts more than a directory's name; it is shown which of them it was."""
    write(tmp_path / folder, files)

    release = inspect([tmp_path / folder])[0].release

    assert (release.name, release.source) == (name, source)


def test_a_directory_far_above_tells_nothing(tmp_path: Path) -> None:
    """Only the directory itself, and those of its git work tree, are called after a release."""
    write(tmp_path / "train" / "files", {"a.yaml": ENVIRONMENT})
    assert inspect([tmp_path / "train" / "files"])[0].release.name is None

    (tmp_path / "train" / ".git").mkdir()
    assert inspect([tmp_path / "train" / "files"])[0].release.name == "train"


@pytest.mark.parametrize("release", ["xena", "zed", "2023.1", "2025.2", "2026.1", "2026.2"])
def test_todays_releases_can_be_named(tmp_path: Path, release: str) -> None:
    """Releases after Wallaby are judged by their own filters and options."""
    conf = '[pci]\ndevice_spec = {"vendor_id": "10de", "product_id": "2331"}\n'
    conf += "[filter_scheduler]\nenabled_filters = AvailabilityZoneFilter,PciPassthroughFilter\n"
    write(tmp_path, {"nova.conf": conf})

    codes = {finding.code for finding in inspect([tmp_path], release)[1]}

    assert ("GP303" in codes) == (release >= "2023.2" and release[0] == "2")
    assert ("GP226" in codes) == (release == "xena")


def test_yaml_that_only_mentions_a_template_is_read(tmp_path: Path) -> None:
    """A comment, or a value in quotes, with the marks of a template does not hide the file."""
    text = f"# {{% raw %}}\n{ENVIRONMENT}  Note: '{{% x %}}'\n  NovaPciPassthrough: []\n"
    write(tmp_path, {"a.yaml": text})

    assert [finding.code for finding in inspect([tmp_path], "queens")[1]] == ["GP104"]


CONFIGURATION = """[DEFAULT]
debug = {{ nova_logging_debug }}
{% if gpu %}
[pci]
{% for item in gpus %}
device_spec = {{ item | to_json }}
alias = {{ item.alias | to_json }}
{% endfor %}
{% endif %}
[filter_scheduler]
enabled_filters = ComputeFilter,PciPasthroughFilter
"""


@pytest.mark.parametrize("name", ["nova.conf", "nova.conf.j2", "kolla/config/nova/nova-compute.conf"])
def test_a_template_of_nova_conf_is_judged_as_far_as_it_goes(tmp_path: Path, name: str) -> None:
    """Values that are made while rendering give no finding; the others are judged, and the file is named."""
    write(tmp_path, {name: CONFIGURATION})

    files, findings = inspect([tmp_path])

    assert {finding.code for finding in findings} == {"GP302"}
    assert files.unjudged == {tmp_path / name: "the value of alias is a template"}

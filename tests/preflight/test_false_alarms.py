"""What works is not blamed: ids, branches' parameters, templates, virtual functions, files that only mention a key."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from written import codes_in, findings_in

from preflight.cli import inspect, main
from preflight.releases import TRIPLEO_RELEASES, load_data, parameter_lifetimes

ENVIRONMENT = """
parameter_defaults:
  NovaPCIPassthrough:
    - vendor_id: "{vendor}"
      product_id: "{product}"
  NovaSchedulerDefaultFilters: [ComputeFilter, PciPassthroughFilter, NUMATopologyFilter]
  ExtraConfig:
    nova::pci::aliases:
      - {{name: a1, vendor_id: "10de", product_id: "{alias}", device_type: type-PCI}}
  ComputeParameters:
    KernelArgs: intel_iommu=on iommu=pt
"""


def environment(vendor: str = "10de", product: str = "15f8", alias: str = "15f8") -> str:
    """An environment file with these ids."""
    return ENVIRONMENT.format(vendor=vendor, product=product, alias=alias)


@pytest.mark.parametrize("vendor", ["10de", "10DE", "0x10de", "0X10DE"])
@pytest.mark.parametrize("product", ["15f8", "15F8", "0x15F8", "*"])
def test_every_spelling_of_a_whitelisted_id_is_the_same_to_nova(tmp_path: Path, vendor: str, product: str) -> None:
    """Nova reads whitelisted ids by int(…, 16): capitals and 0x are right, and match the alias."""
    assert codes_in(tmp_path, {"env.yaml": environment(vendor, product)}, "queens") == []


@pytest.mark.parametrize(("release", "found"), [("queens", ["GP202"]), ("rocky", []), (None, [])])
def test_capitals_in_an_alias_are_wrong_before_rocky_only(
    tmp_path: Path, release: str | None, found: list[str]
) -> None:
    """Nova compares in lower case from Rocky on; of an unknown release nothing is said."""
    assert codes_in(tmp_path, {"env.yaml": environment(alias="15F8")}, release) == found


@pytest.mark.parametrize("alias", ["0x15f8", "15f", "15f80", "15g8"])
@pytest.mark.parametrize("release", ["queens", "wallaby"])
def test_an_alias_id_has_four_hexadecimal_digits_in_each_release(tmp_path: Path, alias: str, release: str) -> None:
    """What the schema of aliases refuses is an error in every release."""
    text = environment(alias=alias).replace("NovaSchedulerDefaultFilters", "NovaSchedulerEnabledFilters")
    used = text if release == "wallaby" else environment(alias=alias)

    assert "GP202" in codes_in(tmp_path, {"env.yaml": used}, release)


@pytest.mark.parametrize(
    ("name", "release"),
    [
        ("KernelArgsDeferReboot", "train"),
        ("KernelArgsDeferReboot", "ussuri"),
        ("NovaReservedHugePages", "queens"),
        ("NovaReservedHugePages", "rocky"),
        ("NovaReservedHugePages", "stein"),
    ],
)
def test_a_parameter_that_came_to_the_branch_later_is_known(tmp_path: Path, name: str, release: str) -> None:
    """The table is that of the branch's end, which vendors follow, not that of its last tagged release."""
    assert any(span.covers(release) for span in parameter_lifetimes(name))
    assert codes_in(tmp_path, {"env.yaml": f"parameter_defaults:\n  {name}: []\n"}, release) == []


def test_each_release_has_the_parameters_of_its_branch() -> None:
    """Each release's table names the end of its branch as a source."""
    sources = load_data("parameters.yaml")["sources"]

    assert set(sources) == set(TRIPLEO_RELEASES)
    assert all(any(name.endswith("-eol") or name == "stable-wallaby" for name in found) for found in sources.values())


FIRST_BOOT = """
heat_template_version: 2014-10-16
parameters:
  ComputeKernelArgs: {type: string}
  ComputeHostnameFormat: {type: string, default: ""}
resources:
  userdata:
    type: OS::Heat::MultipartMime
    properties:
      parts: [{config: {get_resource: boot}}]
  boot:
    type: OS::Heat::SoftwareConfig
    properties:
      config:
        str_replace:
          template: |
            #!/bin/bash
            FORMAT=$COMPUTE_HOSTNAME_FORMAT
            if [[ -z $FORMAT ]] ; then
              FORMAT="compute" ;
            else
              FORMAT=$(echo $FORMAT | sed 's/%index%//g' | sed 's/%stackname%//g') ;
            fi
            if [[ $(hostname) == *$FORMAT* ]] ; then
              grep -q iommu /etc/default/grub || sed -i 's/^GRUB_CMDLINE_LINUX="/&intel_iommu=on /' /etc/default/grub
              [ -d /sys/firmware/efi ] || grub2-mkconfig -o /etc/grub2.cfg
            fi
          params:
            $KERNEL_ARGS: {get_param: ComputeKernelArgs}
            $COMPUTE_HOSTNAME_FORMAT: {get_param: ComputeHostnameFormat}
"""
REGISTRY = "resource_registry:\n  OS::TripleO::NodeUserData: first-boot.yaml\n"


def test_a_host_name_that_follows_the_role_is_no_literal_text(tmp_path: Path) -> None:
    """A test for a name that the script makes of the role's own format is not compared with host names."""
    env = REGISTRY + "parameter_defaults:\n  ComputeHostnameFormat: '%stackname%-gpu-%index%'\n"

    found = codes_in(tmp_path, {"env.yaml": env, "first-boot.yaml": FIRST_BOOT}, "newton")

    assert "GP413" not in found
    assert "GP403" not in found


def test_a_host_name_in_a_variable_is_compared(tmp_path: Path) -> None:
    """A variable with one literal value stands for it."""
    script = FIRST_BOOT.replace("FORMAT=$COMPUTE_HOSTNAME_FORMAT", "FORMAT=nogpu").split("if [[ -z")[0]
    script += "if [[ $(hostname) == *$FORMAT* ]] ; then\n              modprobe vfio; fi\n"
    script += "          params: {}\n"
    env = REGISTRY + "parameter_defaults:\n  ComputeHostnameFormat: '%stackname%-gpu-%index%'\n"

    assert "GP413" in codes_in(tmp_path, {"env.yaml": env, "first-boot.yaml": script}, "newton")


MANAGED = '{{vendor_id: "10de", product_id: "25b6"{address}, managed: "no"}}'


@pytest.mark.parametrize("address", [', address: "0000:25:00.4"', ', live_migratable: "yes"'])
def test_a_virtual_function_keeps_its_driver(tmp_path: Path, address: str) -> None:
    """managed: no is right for virtual functions, as Nova's own guide has them."""
    card = MANAGED.format(address=address)
    text = f"parameter_defaults:\n  NovaPCIPassthrough: [{card}]\n  ComputeParameters: {{KernelArgs: intel_iommu=on}}\n"

    assert codes_in(tmp_path, {"env.yaml": text}, "wallaby") == []


def test_who_does_not_say_how_hosts_boot_is_not_blamed_for_the_driver(tmp_path: Path) -> None:
    """The card may be bound in files that we were not given."""
    conf = '[pci]\ndevice_spec = {"vendor_id": "10de", "product_id": "2331", "managed": "no"}\n'

    assert codes_in(tmp_path, {"nova.conf": conf}) == []


USER = """
heat_template_version: 2016-10-14
resources:
  flavor:
    type: OS::Nova::Flavor
    properties: {name: gpu, ram: 16384, vcpus: 8, is_public: false, extra_specs: {"pci_passthrough:alias": "a1:1"}}
  user:
    type: OS::Keystone::User
    properties: {name: u, roles: [{role: operator, project: p}]}
outputs:
  flavor: {value: {get_resource: flavor}}
"""


@pytest.mark.parametrize(("release", "found"), [("queens", False), ("zed", False), ("2023.1", True), (None, False)])
def test_a_role_is_asked_for_where_nova_asks_for_it(tmp_path: Path, release: str | None, found: bool) -> None:
    """Any role of the project is enough until Nova's policies name one."""
    assert ("GP509" in codes_in(tmp_path, {"stack.yaml": USER}, release)) == found


@pytest.mark.parametrize(("release", "seen"), [("queens", "No space left on device"), ("stein", "403")])
def test_the_symptom_is_that_of_the_release(tmp_path: Path, release: str, seen: str) -> None:
    """A flavor without a disk is refused from Stein on; before, the disk is as small as the image."""
    found = [item for item in findings_in(tmp_path, {"stack.yaml": USER}, release) if item.code == "GP508"]

    assert [seen in item.seen_as for item in found] == [True]


TEMPLATED = (
    "#!/bin/bash\nexec tool \\\n  --a \\\n{% if b %}\n  --b \\\n{% endif %}\n  --c\n",
    "#!/bin/bash\nexec tool \\\n  --a \\\n{{- if .Values.b }}\n  --b\n{{- else }}\n  --c\n{{- end }}\n",
    "#!/bin/bash\nglance image-create \\\n  {{ if .p -}}\n  --private\n  {{- else -}}\n  --public\n  {{- end }}\n",
)


@pytest.mark.parametrize("script", TEMPLATED)
def test_branches_of_a_template_are_no_lost_backslash(tmp_path: Path, script: str) -> None:
    """Which lines follow each other is not known before the template is rendered."""
    assert not {"GP601", "GP602", "GP619"} & set(codes_in(tmp_path, {"run.sh": script}))


def test_a_lost_backslash_in_a_template_is_found(tmp_path: Path) -> None:
    """Lines of a template that no branch parts are judged."""
    script = "#!/bin/bash\n{{- if .Values.x }}\nexec tool \\\n  --a 1 \\\n  -k ${RING}\n  --b \\\n  --c\n{{- end }}\n"

    assert "GP601" in codes_in(tmp_path, {"run.sh": script})


MENTIONS = {
    "check.py": 'MARK = "-----BEGIN RSA PRIVATE KEY-----"\nexample = """\nexport OS_PASSWORD=secret\n"""\n',
    "README.md": "    export OS_USERNAME=x\n    export OS_PASSWORD=secret\n-----BEGIN RSA PRIVATE KEY-----\n",
    "guide.rst": ".. code::\n\n   export OS_PASSWORD=secret\n   -----BEGIN RSA PRIVATE KEY-----\n",
    "data.json": '{"key": "-----BEGIN PRIVATE KEY-----\\n", "rc": "export OS_PASSWORD=x"}\n',
    "notes.txt": "the header is -----BEGIN PRIVATE KEY-----\n  export OS_PASSWORD=secret\n",
}


@pytest.mark.parametrize("name", MENTIONS)
def test_who_mentions_a_key_or_a_password_has_none(tmp_path: Path, name: str) -> None:
    """Programs and pages that speak of keys and passwords are neither key files nor rc files."""
    assert codes_in(tmp_path, {name: MENTIONS[name]}) == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("sed -i -e 's/OS_PASSWORD=.*/OS_PASSWORD=\"$NEW\"/' rc", False),
        ("sed -e 's/export OS_PASSWORD=old/#/' rc", False),
        ("sed -i 's/OS_PASSWORD=.*/OS_PASSWORD=redhat/' rc", True),
        ("echo '    --password PASSWORD    of the user'", False),
    ],
)
def test_what_sed_looks_for_is_no_password(tmp_path: Path, line: str, found: bool) -> None:
    """Only the new half of a substitution puts a password in."""
    assert ("GP903" in codes_in(tmp_path, {"run.sh": f"#!/bin/bash\n{line}\n"})) == found


def test_a_template_may_have_a_parameter_named_like_a_role(tmp_path: Path) -> None:
    """What a first-boot template declares itself is no setting for a role."""
    env = REGISTRY + "parameter_defaults:\n  ComputeKernelArgs: intel_iommu=on\n"
    roles = "- name: ComputeGpu\n  ServicesDefault: [OS::TripleO::Services::NovaCompute]\n"
    files = {"env.yaml": env, "first-boot.yaml": FIRST_BOOT, "roles_data.yaml": roles}

    assert "GP111" not in codes_in(tmp_path, files, "newton")


ONE_ROLE = "- name: {0}\n  ServicesDefault: [OS::TripleO::Services::NovaCompute]\n"
ONE_ENVIRONMENT = "parameter_defaults:\n  {0}Parameters: {{KernelArgs: intel_iommu=on}}\n"


def test_each_deployment_has_its_own_roles(tmp_path: Path) -> None:
    """Roles files of deployments that lie side by side are not taken together."""
    files = {
        f"{site}/{name}": text.format(role)
        for site, role in (("north", "ComputeA"), ("south", "ComputeB"))
        for name, text in (("roles_data.yaml", ONE_ROLE), ("env.yaml", ONE_ENVIRONMENT))
    }
    assert codes_in(tmp_path, files, "queens") == []

    files["north/env.yaml"] = ONE_ENVIRONMENT.format("ComputeB")
    assert codes_in(tmp_path, files, "queens") == ["GP111"]


KEY = "-----BEGIN RSA PRIVATE KEY-----\n    MIIE\n    -----END RSA PRIVATE KEY-----\n"


def test_a_key_among_the_parameters_hides_nothing(tmp_path: Path) -> None:
    """An environment file that holds a key is judged as an environment, and the key is named at its line."""
    text = f"parameter_defaults:\n  SSLKey: |\n    {KEY}  NovaPciPassthrough: []\n"
    text += "  NovaSchedulerDefaultFilters: [ComputeFilter, PciPasthroughFilter]\n"

    found = {item.code: item.location.line for item in findings_in(tmp_path, {"tls.yaml": text}, "queens")}

    assert found == {"GP908": 3, "GP104": 6, "GP302": 7}


@pytest.mark.parametrize(
    ("name", "data"),
    [("env.yaml", "parameter_defaults: {}".encode("utf-16")), ("env.yaml", b"a: 1\n" + b"#" * 2_100_000)],
)
def test_a_lone_file_that_cannot_be_read_is_a_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, data: bytes
) -> None:
    """A file that was named is reported, not taken for nothing."""
    (tmp_path / name).write_bytes(data)

    assert main([str(tmp_path / name)]) == 1
    assert "GP101" in capsys.readouterr().out


def test_a_directory_without_permission_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be entered is named: its files are not read."""
    (tmp_path / "env.yaml").write_text("parameter_defaults: {}\n")
    (tmp_path / "closed").mkdir()
    scandir = os.scandir

    def refused(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)

    found = [(item.code, item.location.path.name, item.why) for item in inspect([tmp_path])[1]]
    assert found == [("GP101", "closed", "Permission denied")]

"""Deployers as data: the files of the repository, the example of the page, and what a cloud file changes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from access.errors import CloudFileError, InputError
from cloud_file.deployer import (
    DIRECTORY,
    GENERIC,
    TRIPLEO,
    Deployer,
    all_signs,
    deployer_of,
    known_deployers,
    known_releases,
    load_deployer,
    recognised,
    tripleo_of,
)
from cloud_file.loading import CLOUDS_DIRECTORY, load
from cloud_file.sections.deployment import NovaPlaces

PAGE = Path(__file__).parents[2] / "docs" / "contributing" / "deployer.md"
EVERY = [(name, release) for name in known_deployers() for release in known_releases(name) or [""]]
LAB = (CLOUDS_DIRECTORY / "lab.yaml").read_text(encoding="utf-8")
EXISTING = (CLOUDS_DIRECTORY / "examples" / "existing.yaml").read_text(encoding="utf-8")


@pytest.fixture
def of_the_page(tmp_path: Path) -> Path:
    """A folder with the page's example as the file of a deployer."""
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert len(blocks) == 1
    (tmp_path / "kolla.yaml").write_text(blocks[0], encoding="utf-8")
    return tmp_path


def _written(folder: Path, text: str) -> Path:
    file = folder / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize(("name", "release"), EVERY)
def test_every_deployer_describes_every_service(name: str, release: str):
    """Each file can be loaded and says of each service where its nova.conf lies and what restarts it."""
    deployer = load_deployer(name, release)

    control_plane = {"nova-api", "nova-scheduler", "nova-conductor"}
    assert {service.service for service in deployer.services_on("controller")} == control_plane
    assert {service.service for service in deployer.services_on("compute")} == {"nova-compute"}
    for service in map(deployer.service, deployer.services):
        assert service.nova_conf.endswith(("/nova.conf", "/"))
        assert service.nova_conf.endswith("/") == service.read_as.endswith("/")
        assert service.name in service.restart or "compute" in service.restart
        assert "{" not in service.restart
        assert service.enter or service.name in service.anchor


@pytest.mark.parametrize(
    ("release", "restart", "nova_conf"),
    [
        ("ocata", "systemctl restart openstack-nova-compute", "/etc/nova/nova.conf"),
        (
            "queens",
            "docker restart nova_compute",
            "/var/lib/config-data/puppet-generated/nova_libvirt/etc/nova/nova.conf",
        ),
        (
            "wallaby",
            "systemctl restart tripleo_nova_compute",
            "/var/lib/config-data/puppet-generated/nova_libvirt/etc/nova/nova.conf",
        ),
    ],
)
def test_releases_of_tripleo_differ(release: str, restart: str, nova_conf: str):
    """Units before Pike, docker to Rocky, podman since Stein."""
    service = load_deployer(TRIPLEO, release).service("nova-compute")

    assert (service.restart, service.nova_conf) == (restart, nova_conf)


def test_a_release_overrides_single_settings():
    """Wallaby has another name for the filters and all other settings of TripleO."""
    older, newer = load_deployer(TRIPLEO, "victoria"), load_deployer(TRIPLEO, "wallaby")

    assert (older.settings.filters, newer.settings.filters) == (
        "NovaSchedulerDefaultFilters",
        "NovaSchedulerEnabledFilters",
    )
    assert older.settings.aliases == newer.settings.aliases == "nova::pci::aliases"
    assert tripleo_of(load_deployer(TRIPLEO, "ocata")).kernel_arguments == "first_boot"


def test_the_example_of_the_page_answers_its_table(of_the_page: Path):
    """The page's YAML is a deployer, and each answer that the page gives is the one that the suite finds."""
    deployer = load_deployer("kolla", directory=of_the_page)
    service = deployer.service("nova-compute")
    under_podman = deployer.model_copy(update={"container_engine": "podman"}).service("nova-compute")
    answers = [
        re.findall(r"`([^`]+)`", line) for line in PAGE.read_text(encoding="utf-8").splitlines() if "? | `" in line
    ]

    assert answers[-4:] == [
        [service.nova_conf],
        [service.restart],
        [under_podman.restart],
        [deployer.settings.aliases, deployer.settings.how_to_apply],
    ]
    assert [each.nova_conf for each in deployer.services_on("controller")] == [
        "/etc/kolla/nova-api/nova.conf",
        "/etc/kolla/nova-scheduler/nova.conf",
    ]
    assert service.shown("/etc/nova/nova.conf") == "/etc/kolla/nova-compute/nova.conf"


def test_the_page_names_every_key_of_a_deployer():
    """A key that is not on the page could not be found by whoever adds a deployer."""
    keys = set(re.findall(r"^\| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), re.M))

    assert keys | {"release", "tripleo"} == {*Deployer.model_fields, "releases"}


def test_an_unknown_key_is_a_mistake(of_the_page: Path):
    """A misspelt key is refused with the file's name, not ignored."""
    file = of_the_page / "kolla.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("pci_options:", "pci_option:"), encoding="utf-8")

    with pytest.raises(InputError, match=r"kolla\.yaml.*(?s:.)*pci_option"):
        load_deployer("kolla", directory=of_the_page)


def test_a_service_without_a_name_for_the_engine_is_refused(of_the_page: Path):
    """kolla's example has no systemd units: without an engine there is nothing to restart."""
    deployer = load_deployer("kolla", directory=of_the_page).model_copy(update={"container_engine": None})

    with pytest.raises(InputError, match="nova-compute under systemd"):
        deployer.service("nova-compute")


def test_a_cloud_of_no_release_is_generic():
    """A cloud of kind existing is restarted by its engine and read where its own file says."""
    deployer = deployer_of(load(CLOUDS_DIRECTORY / "examples" / "existing.yaml"))
    compute = deployer.service("nova-compute")

    assert (compute.nova_conf, compute.restart) == ("/etc/kolla/nova-compute/nova.conf", "docker restart nova_compute")
    assert deployer.service("nova-api").nova_conf == "/etc/kolla/nova-api/nova.conf"
    assert deployer.service("nova-scheduler").nova_conf == "/etc/nova/nova.conf"
    assert deployer.settings.filters == "[filter_scheduler] enabled_filters"
    assert (deployer.release, deployer.title) == ("", "this Nova")


def test_without_places_of_its_own_a_generic_cloud_has_units():
    """Nothing said: nova.conf of the host, restarted by systemd."""
    cloud = load(CLOUDS_DIRECTORY / "examples" / "existing.yaml").model_copy(update={"nova": NovaPlaces()})
    compute = deployer_of(cloud).service("nova-compute")

    assert (compute.nova_conf, compute.restart) == (
        "/etc/nova/nova.conf",
        "systemctl restart openstack-nova-compute",
    )


def test_a_cloud_file_names_its_deployer(tmp_path: Path):
    """The key `deployer` chooses the file; one that is not there is a mistake with the known ones."""
    named = load(_written(tmp_path, EXISTING + "\ndeployer: generic\n"))
    assert deployer_of(named).settings == load_deployer(GENERIC).settings

    with pytest.raises(CloudFileError, match=rf"unknown deployer 'kola'; known: {', '.join(known_deployers())}"):
        load(_written(tmp_path, EXISTING + "\ndeployer: kola\n"))


def test_a_release_of_tripleo_that_does_not_exist_is_a_mistake(tmp_path: Path):
    """A cloud file with another release is refused with the known ones."""
    with pytest.raises(CloudFileError, match="unknown release 'zed'; known: ocata, pike"):
        load(_written(tmp_path, re.sub(r"(?m)^release: \w+", "release: zed", LAB)))


def test_a_lab_of_another_deployer_needs_its_machines(tmp_path: Path):
    """Without a declaration it would be TripleO's hosts that are judged."""
    with pytest.raises(CloudFileError, match="needs a lab_declaration"):
        load(_written(tmp_path, LAB + "\ndeployer: generic\n"))


def test_another_deployer_has_no_tripleo_deploy():
    """Asking a deployer without environment files for them is an error of the input."""
    with pytest.raises(InputError, match="environment files"):
        tripleo_of(load_deployer(GENERIC))


def test_files_of_deployers_are_found():
    """The folder has at least the two that cloud files use without naming them."""
    assert {TRIPLEO, GENERIC} <= {path.stem for path in DIRECTORY.glob("*.yaml")}


@pytest.mark.parametrize(
    ("paths", "name"),
    [
        (["/etc/kolla/nova-compute"], "kolla-ansible"),
        (["/etc/kolla/nova-api", "/usr/share/nova/nova-dist.conf"], "kolla-ansible"),
        (["/etc/kolla/nova-api", "/opt/kayobe"], "kayobe"),
        (["/opt/kayobe"], None),
        (["/openstack/venvs"], "openstack-ansible"),
        (["/var/lib/openstack/nova"], "rhoso"),
        (["/var/snap/openstack-hypervisor"], "sunbeam"),
        (["/var/lib/dpkg/info/nova-common.list"], "packages-debian"),
        (["/var/lib/dpkg/info/nova-common.list", "/openstack/venvs"], "openstack-ansible"),
        (["/var/lib/dpkg/info/nova-common.list", "/var/lib/juju", "/etc/nova/nova.conf"], "charms"),
        (["/usr/share/nova/nova-dist.conf"], "packages-rdo"),
        (["/var/lib/kubelet", "/var/lib/nova"], "openstack-helm"),
        (["/var/lib/kubelet"], None),
        (["/etc/kolla/nova-compute", "/openstack/venvs"], None),
        ([], None),
    ],
)
def test_a_deployer_is_recognised_by_what_it_leaves(paths: list[str], name: str | None):
    """What builds on another one goes before it, packages come last, and a contradiction names nobody."""
    assert set(paths) <= {*all_signs()}
    assert recognised(paths) == name


def test_a_file_of_a_directory_is_shown_as_the_operator_knows_it():
    """RHOSO copies its snippets: the fix is to be made in the host's directory."""
    service = load_deployer("rhoso").service("nova-compute")

    assert service.shown("/etc/nova/nova.conf.d/03-gpu-nova.conf") == "/var/lib/openstack/nova/03-gpu-nova.conf"
    assert service.shown("/etc/nova/nova.conf") == "/etc/nova/nova.conf"


def test_an_engine_that_the_deployer_does_not_use_is_a_mistake():
    """OpenStack-Ansible runs units: a container engine in the cloud file cannot be meant."""
    cloud = load(CLOUDS_DIRECTORY / "examples" / "existing.yaml").model_copy(update={"deployer": "openstack-ansible"})

    with pytest.raises(InputError, match="under docker"):
        deployer_of(cloud)

"""The same checks on a cloud that somebody else made: no undercloud, no release, its own image and network."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tls_front import TlsFronts, fronts
from whole_lab import REPOSITORY, WholeLab

from access.openstack_api import as_user, connect
from access.progress import Progress
from cloud_file.loading import load
from judging.records import Verdict
from provisioning.cleanup import cleanup
from provisioning.provision import provision


@pytest.fixture(scope="module")
def existing(lab: WholeLab) -> Iterator[WholeLab]:
    """The lab's cloud, deployed by the main job, seen as a cloud that is only there; gone for the next test."""
    run = lab.accept("--keep", "-k", "test_the_stack_is_complete")
    assert run.exit_code == 0, run.output
    yield lab
    lab.accept("--cleanup")


def _connection_of(lab: WholeLab) -> dict[str, Any]:
    """Where the lab's machines are."""
    return dict(json.loads((lab.home / "default" / "connection.json").read_text()))


def _variables_of(lab: WholeLab, owner: str = "admin") -> dict[str, str]:
    """OS_* variables of the main job."""
    return dict(json.loads((lab.home / "runs" / "credentials.json").read_text())[owner])


def _cloud_file(lab: WholeLab, clouds: dict[str, Any] | None = None, **changes: Any) -> str:
    """A cloud file of kind existing, and the clouds.yaml that it names; None leaves a section out."""
    connection, variables = _connection_of(lab), _variables_of(lab)
    auth = {
        "auth_url": variables["OS_AUTH_URL"],
        "username": variables["OS_USERNAME"],
        "password": variables["OS_PASSWORD"],
        "project_name": variables["OS_PROJECT_NAME"],
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    named = lab.home / "clouds.yaml"
    named.write_text(yaml.safe_dump({"clouds": {"ours": {"auth": auth, "region_name": "RegionOne"}, **(clouds or {})}}))
    named.chmod(0o600)
    content = yaml.safe_load((REPOSITORY / "clouds" / "lab.yaml").read_text())
    for key in ("release", "deploy", "runs_directory"):
        content.pop(key, None)
    content |= {
        "kind": "existing",
        "prefix": "other",
        "openstack": {"cloud": "ours"},
        "overcloud_access": {
            "port": connection["ssh_port"],
            "key_file": connection["ssh_key"],
            "known_hosts": connection["known_hosts"],
        },
        "hosts": [{**host, "address": connection["hosts"][host["name"]]} for host in content["hosts"]],
        "image": {"name": "gpuacc-rhel-7.4-gpu", "ssh_port": connection["ssh_port"]},
        "networks": {
            "external": {"name": "gpuacc-external", "existing": True},
            "tenant": {"name": "tenant", "cidr": "192.168.178.0/24"},
        },
        "guests": [{"name": "one-card", "flavor": "m1.xmedium"}],
        "excused_cards": [{"cards": 3, "reason": "the other cards are those of the people who use this cloud"}],
        "runs_directory": str(lab.home / "existing-runs"),
    }
    content = {key: value for key, value in (content | changes).items() if value is not None}
    file = lab.home / "existing.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return str(file)


def test_a_cloud_that_was_there_before_is_accepted_and_left_as_it_was(existing: WholeLab):
    """Every layer but the undercloud is checked; image and external network of others stay."""
    file = _cloud_file(existing)

    run = existing.accept(cloud=file)

    assert run.exit_code == 0, run.output
    assert set(run.verdicts.values()) == {Verdict.PASSED}
    assert not [check for check, _ in run.verdicts if check.startswith("undercloud.")]
    assert {"host.iommu.cmdline", "control_plane.alias.compute", "cuda.bandwidth"} <= {
        check for check, _ in run.verdicts
    }
    assert not (existing.home / "existing-runs" / "ledger.jsonl").exists()

    again = existing.accept("--reuse")
    assert again.exit_code == 0, again.output


def _find_or(find: Callable[..., Any], create: Callable[..., Any], name: str, **more: Any) -> Any:
    return find(name, ignore_missing=True, **{key: more[key] for key in more if key == "domain_id"}) or create(
        name=name, **more
    )


def _person(admin: Any, domain: str, user: str, project: str, role: str) -> tuple[Any, Any]:
    """A user with a role in a project of a domain; password `pw`."""
    identity = admin.identity
    home = _find_or(identity.find_domain, identity.create_domain, domain)
    made = _find_or(identity.find_project, identity.create_project, project, domain_id=home.id)
    person = _find_or(identity.find_user, identity.create_user, user, domain_id=home.id, password="pw")
    identity.assign_project_role_to_user(made, person, identity.find_role(role))
    return person, made


def _application_credential(lab: WholeLab, person: Any, user: str, project: str, domain: str) -> Any:
    """One that the user makes for the suite."""
    own = connect(as_user(_variables_of(lab), user=user, password="pw", project=project, domain=domain))
    return own.identity.create_application_credential(person.id, f"suite-{uuid.uuid4().hex[:8]}")


def _entry(auth_url: str, credential: Any) -> dict[str, Any]:
    """An entry of clouds.yaml that logs in by an application credential; it lists another region than ours."""
    auth = {"auth_url": auth_url, "application_credential_id": credential.id}
    auth |= {"application_credential_secret": credential.secret}
    return {"auth_type": "v3applicationcredential", "auth": auth, "region_name": "RegionOne"}


@pytest.fixture
def secure(existing: WholeLab, tmp_path: Path) -> Iterator[tuple[dict[str, Any], Path, TlsFronts]]:
    """A region without Heat; its internal endpoints speak TLS of a private authority, its public ones do not answer.

    Gives an entry of clouds.yaml for an administrator of another domain, who logs in by an application credential, the
    authority's file, and the fronts.
    """
    admin = connect(_variables_of(existing))
    identity = admin.identity
    person, _ = _person(admin, "staff", "boss", "operations", "admin")
    credential = _application_credential(existing, person, "boss", "operations", "staff")
    with fronts(tmp_path, _connection_of(existing)["hosts"]["controller-0"]) as (made, authority):
        identity.create_region(id="secure")
        urls = {}
        for service in (each for each in identity.services() if each.type != "orchestration"):
            plain = next(iter(identity.endpoints(service_id=service.id, interface="public", region_id="RegionOne")))
            urls[service.type] = made.before(plain.url)
            for interface, url in (("internal", urls[service.type]), ("public", "http://127.0.0.1:9/")):
                identity.create_endpoint(service_id=service.id, interface=interface, region_id="secure", url=url)
        yield _entry(urls["identity"], credential), authority, made
    for endpoint in list(identity.endpoints(region_id="secure")):
        identity.delete_endpoint(endpoint)
    identity.delete_region("secure")


GUEST = "answers or requested_cards or roles"
"""Tests that say whether an instance is there: it takes a login, has its cards, and its user has the roles."""
OF_A_GUEST = {"instance.server.reachable", "instance.gpu.exact", "tenant.roles"}


def test_apis_behind_a_private_authority_in_another_domain_without_heat(
    existing: WholeLab, secure: tuple[dict[str, Any], Path, TlsFronts]
):
    """Region, interface and authority are the cloud file's; the tenant is of the domain Default."""
    entry, authority, made = secure
    access = {"cloud": "secure", "region": "secure", "interface": "internal", "cacert": str(authority)}
    file = _cloud_file(existing, {"secure": entry}, openstack=access)
    admin = connect(_variables_of(existing))
    before = _resources(admin)

    run = existing.accept("-k", GUEST, cloud=file)

    assert set(run.verdicts.values()) == {Verdict.PASSED}, run.output
    assert {check for check, _ in run.verdicts} >= OF_A_GUEST
    assert "the catalog has no Heat: the resources are made through the services' own APIs" in run.output
    assert made.connections > 10
    assert _resources(admin) == before, "what was made is gone, and nothing else"
    assert not (existing.home / "existing-runs" / "ledger.jsonl").exists()


def _resources(admin: Any) -> dict[str, list[str]]:
    """Names of everything that provisioning may make."""
    found = {
        "projects": admin.identity.projects(),
        "users": admin.identity.users(),
        "networks": admin.network.networks(),
        "routers": admin.network.routers(),
        "security groups": (group for group in admin.network.security_groups() if group.name != "default"),
        "ports": admin.network.ports(),
        "servers": admin.compute.servers(all_projects=True),
        "flavors": admin.compute.flavors(is_public=None),
        "images": admin.image.images(),
        "stacks": admin.orchestration.stacks(),
    }
    return {kind: sorted(f"{each.name} {each.id}" for each in resources) for kind, resources in found.items()}


@pytest.fixture(scope="module")
def image_with_driver(existing: WholeLab) -> Iterator[str]:
    """A snapshot of an instance of the main job, which has its driver; for everybody."""
    admin, tenant = connect(_variables_of(existing)), connect(_variables_of(existing, "tenant"))
    server = tenant.compute.find_server("gpuacc-one-card", ignore_missing=False)
    made = tenant.compute.create_server_image(server.id, "with-driver", wait=True)
    admin.image.update_image(made.id, visibility="public")
    yield "with-driver"
    admin.image.delete_image(made.id)


@pytest.fixture
def theirs(existing: WholeLab) -> Iterator[tuple[Any, dict[str, Any]]]:
    """A project and a user of another domain that exist; the administrator, and the user's entry of clouds.yaml."""
    admin = connect(_variables_of(existing))
    person, _ = _person(admin, "people", "anna@example.org", "their-project", "member")
    credential = _application_credential(existing, person, "anna@example.org", "their-project", "people")
    network = admin.network.create_network(name="provider", is_shared=True)
    cidr = f"{_connection_of(existing)['network']}.201.0/24"
    admin.network.create_subnet(network_id=network.id, ip_version=4, cidr=cidr, is_dhcp_enabled=False)
    yield admin, _entry(_variables_of(existing)["OS_AUTH_URL"], credential)
    admin.network.delete_network(network)


def test_a_project_that_exists_a_provider_network_and_bastions(
    existing: WholeLab, theirs: tuple[Any, dict[str, Any]], image_with_driver: str, tmp_path: Path
):
    """The user logs in by an application credential; hosts by ProxyJump of ssh_config, the instance by a bastion.

    Its image brings the driver, and it asks for an availability zone. Project, user and network stay.
    """
    admin, entry = theirs
    connection = _connection_of(existing)
    ssh_config = tmp_path / "ssh_config"
    ssh_config.write_text(_ssh_config(connection))
    bastion = {"address": "jump"}
    hosts = yaml.safe_load((REPOSITORY / "clouds" / "lab.yaml").read_text())["hosts"]
    file = _cloud_file(
        existing,
        {"anna": entry},
        tenant={"existing": True, "project": "their-project", "user": "anna@example.org", "domain": "people"}
        | {"cloud": "anna"},
        networks={"tenant": {"name": "provider", "existing": True}},
        guests=[{"name": "one-card", "flavor": "m1.xmedium", "availability_zone": "nova"}],
        cuda={"version": "9.0", "installed": True},
        image={"name": image_with_driver, "ssh_port": connection["ssh_port"]},
        guest_access={"bastions": [bastion]},
        ssh_config=str(ssh_config),
        overcloud_access=None,
        hosts=[
            {**host, "address": host["name"], "role": f"x{number}", "is_controller": host["role"] == "Controller"}
            for number, host in enumerate(hosts)
        ],
    )
    before = _resources(admin)

    run = existing.accept("-k", f"{GUEST} or running_kernel or packages", cloud=file)

    assert set(run.verdicts.values()) == {Verdict.PASSED}, run.output
    checks = {check for check, _ in run.verdicts}
    assert checks >= {*OF_A_GUEST, "host.iommu.cmdline"}
    assert "instance.packages" not in checks
    assert "the project exists already: the resources are made through the services' own APIs" in run.output
    assert _resources(admin) == before, "project, user and network are still there, and nothing else is left"


def _ssh_config(connection: dict[str, Any]) -> str:
    """Computes are reached through the controller, as people have it."""
    lines = []
    for name, address in connection["hosts"].items():
        jump = [] if name == "controller-0" else ["  ProxyJump jump"]
        lines += [f"Host {name}", f"  HostName {address}", *jump]
    lines += ["Host jump", f"  HostName {connection['hosts']['controller-0']}"]
    common = {"User": "heat-admin", "Port": connection["ssh_port"], "IdentityFile": connection["ssh_key"]}
    common |= {"UserKnownHostsFile": connection["known_hosts"]}
    return "\n".join(
        [*lines, "Host jump controller-* compute-*", *(f"  {key} {value}" for key, value in common.items()), ""]
    )


def _changed(**openstack: Any) -> dict[str, Any]:
    return {"openstack": {"cloud": "ours", **openstack}}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (_changed(cacert="/absent.pem"), ("there is no file /absent.pem", "openstack.cacert in the cloud file")),
        (_changed(region="Elsewhere"), ("the cloud has no region Elsewhere; it has: RegionOne",)),
        ({"openstack": {"cloud": "absent"}}, ("Cloud absent was not found", "has: ours, weak")),
        (_changed(cloud="weak", heat=False), ("do not allow identity:", "tenant.existing")),
        (
            {"tenant": {"existing": True, "project": "no-such", "user": "nobody", "password": {"env": "PATH"}}},
            ("there is no project no-such in the domain Default", "there is no user nobody"),
        ),
        (
            {
                "tenant": {
                    "existing": True,
                    "project": "their",
                    "user": "x",
                    "domain": "no-such",
                    "password": {"env": "PATH"},
                }
            },
            ("there is no domain no-such; there are: ",),
        ),
        ({"networks": {"tenant": {"name": "no-such", "existing": True}}}, ("there is no network no-such",)),
        (
            {"guests": [{"name": "one-card", "flavor": "m1.xmedium", "volume_gb": 40}]},
            ("boots from a volume, but the catalog has no block storage (Cinder)",),
        ),
        (_changed(heat=True) | {"networks": {"tenant": {"name": "tenant"}}}, ("openstack.heat is true, but",)),
    ],
    ids=lambda value: "" if isinstance(value, tuple) else str(sorted(value)),
)
def test_what_the_cloud_does_not_have_is_said(
    existing: WholeLab,
    image_with_driver: str,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
    words: tuple[str, ...],
):
    """What is missing, what there is instead, and what to change; nothing is left of the attempt."""
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(existing.home / "clouds.yaml"))
    admin = connect(_variables_of(existing))
    _person(admin, "Default", "weak", "weak", "member")
    auth = {"auth_url": _variables_of(existing)["OS_AUTH_URL"], "username": "weak", "password": "pw"}
    auth |= {"project_name": "weak", "user_domain_name": "Default", "project_domain_name": "Default"}
    cloud = load(_cloud_file(existing, {"weak": {"auth": auth}}, **{"image": {"name": image_with_driver}, **changes}))
    before = _resources(admin)

    made = provision(cloud, Progress(quiet=True))

    said = " ".join([*made.failures.values(), *(guest.failure or "" for guest in made.guests)])
    for each in words:
        assert each in said, said
    if made.failures.keys() != {"credentials"}:
        cleanup(cloud, Progress(quiet=True))
    assert _resources(admin) == before

"""Cleanup removes what the ledger names, in the order of KINDS, and forgets only what the cloud has no more."""

from __future__ import annotations

import functools
import io
import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keystoneauth1.exceptions
import pytest
import requests
from openstack import exceptions as sdk

from access.errors import ConnectError, LedgerError, ProvisioningError, WaitTimeout
from access.host import CommandOutput
from access.progress import Progress
from access.waiting import wait_for
from cloud_file.cloud import Cloud
from provisioning import administrator, cleanup, provision
from provisioning.ledger import Entry, Ledger
from provisioning.openstack import resources, stack
from provisioning.openstack.guests import remove_guest

RC_FILE = """# made by TripleO
export OS_AUTH_URL=http://192.0.2.1:5000/v3
  export OS_USERNAME="admin"
export OS_PASSWORD='a=b c'
export OS_PROJECT_NAME=admin
export PYTHONWARNINGS="ignore"
"""
ADMIN_VARIABLES = {
    "OS_AUTH_URL": "http://192.0.2.1:5000/v3",
    "OS_USERNAME": "admin",
    "OS_PASSWORD": "a=b c",
    "OS_PROJECT_NAME": "admin",
}
IN_ORDER = [
    ("forced-down", "compute-0", "admin"),
    ("server", "t-server", "admin"),
    ("port", "t-port", "admin"),
    ("server-image", "t-snapshot", "admin"),
    ("aggregate", "t-aggregate", "admin"),
    ("test-flavor", "t-test-flavor", "admin"),
    ("user", "t-user", "admin"),
    ("project", "t-other", "admin"),
    ("guest", "t-one-card", "tenant"),
    ("floating-ip", "t-one-card", "tenant"),
    ("guest-port", "t-one-card", "tenant"),
    ("security-group", "t-one-card", "tenant"),
    ("stack", "t-guests", "tenant"),
    ("keypair", "t-key", "tenant"),
    ("stack", "t-admin", "admin"),
    ("router", "t-router", "admin"),
    ("network", "t-internal", "admin"),
    ("tenant-user", "t-somebody@default", "admin"),
    ("tenant-project", "t-project@default", "admin"),
    ("flavor", "t-flavor", "admin"),
    ("image-member", "image-id/project-id", "admin"),
    ("image", "t-image", "admin"),
    ("undercloud-file", "/home/stack/t file", "undercloud"),
]
"""What tests made; what the tenant owns; the rest."""


def refusal(status: int, message: str) -> sdk.HttpException:
    """The error of openstacksdk for an answer of Nova's shape to a request for a deletion."""
    answer = requests.Response()
    answer.status_code, answer.url = status, "http://192.0.2.1/things/1"
    answer.headers["content-type"] = "application/json"
    answer._content = json.dumps({"refused": {"code": status, "message": message}}).encode()
    answer.request = requests.Request("DELETE", answer.url).prepare()
    with pytest.raises(sdk.HttpException) as raised:
        sdk.raise_from_response(answer)
    return raised.value


def store_of(kind: str) -> str:
    """Where the cloud has what a kind of KINDS names."""
    return {
        "server-image": "image",
        "test-flavor": "flavor",
        "guest": "server",
        "guest-port": "port",
        "tenant-user": "user",
        "tenant-project": "project",
    }.get(kind, kind)


class FakeCloud:
    """What a cloud has, by store and name. A method that it has not, or another argument, fails the test."""

    def __init__(self) -> None:
        self.stores: dict[str, list[str]] = {"project": ["t-gpu"]}
        self.removed: list[tuple[str, str]] = []
        self.stuck: set[str] = set()
        """Names whose deletion is taken and never carried out."""
        self.refused: dict[str, Exception] = {}
        """By name: how the API refuses the deletion."""
        self.forced_down: set[str] = set()
        self.calls_left = 10**6
        """After so many requests the cloud is lost."""
        self.loss: Exception = keystoneauth1.exceptions.ConnectFailure("no answer")

    def call(self) -> None:
        """One request to an API."""
        self.calls_left -= 1
        if self.calls_left < 0:
            raise self.loss

    def put(self, kind: str, name: str) -> None:
        """A resource of a kind of KINDS."""
        if kind == "forced-down":
            self.forced_down.add(name)
        self.stores.setdefault(store_of(kind), []).append(name.partition("@")[0])

    def found(self, store: str, name: str | None = None) -> list[Any]:
        """All of a store, or those of that name."""
        return [
            SimpleNamespace(id=each, name=each, description=each, hosts=["compute-0"], status="CREATE_COMPLETE")
            for each in self.stores.get(store, ())
            if name in (None, each)
        ]

    def one(self, store: str, name: str) -> Any | None:
        """The one of that name; None if there is none."""
        return next(iter(self.found(store, name)), None)

    def delete(self, store: str, name: str) -> None:
        """Carry a deletion out, or refuse it."""
        if name in self.refused:
            raise self.refused[name]
        self.removed.append((store, name))
        if name not in self.stuck:
            self.stores[store].remove(name)


class Compute:
    """Nova, as its administrator or a tenant sees it."""

    def __init__(self, cloud: FakeCloud, owner: str) -> None:
        self._cloud, self._owner = cloud, owner

    def servers(self, *, details: bool, name: str, all_projects: bool = False) -> list[Any]:
        assert not details
        assert all_projects == (self._owner == "admin")
        return [item for item in self._cloud.found("server") if name in item.name]  # Nova takes a regular expression

    def delete_server(self, server: Any, *, force: bool, ignore_missing: bool) -> None:
        assert (force, ignore_missing) == (False, True)
        self._cloud.delete("server", server.name)

    def services(self, *, binary: str) -> list[Any]:
        return [
            SimpleNamespace(host=f"{name}.localdomain", binary=binary, is_forced_down=name in self._cloud.forced_down)
            for name in ("compute-0", "compute-1")
        ]

    def update_service_forced_down(self, service: Any, host: str, binary: str, forced: bool) -> None:
        assert (host, binary, forced) == (service.host, "nova-compute", False)
        name = host.split(".")[0]
        self._cloud.delete("forced-down", name)
        self._cloud.forced_down.remove(name)

    def aggregates(self) -> list[Any]:
        return self._cloud.found("aggregate")

    def remove_host_from_aggregate(self, aggregate: Any, host: str) -> None:
        self._cloud.removed.append(("host of aggregate", host))

    def delete_aggregate(self, aggregate: Any) -> None:
        self._cloud.delete("aggregate", aggregate.name)

    def find_flavor(self, name: str, *, ignore_missing: bool) -> Any:
        return self._cloud.one("flavor", name)

    def delete_flavor(self, flavor: Any) -> None:
        self._cloud.delete("flavor", flavor.name)

    def find_keypair(self, name: str, *, ignore_missing: bool) -> Any:
        assert self._owner == "tenant"
        return self._cloud.one("keypair", name)

    def delete_keypair(self, keypair: Any, *, ignore_missing: bool) -> None:
        self._cloud.delete("keypair", keypair.name)


class Network:
    """Neutron."""

    def __init__(self, cloud: FakeCloud) -> None:
        self._cloud = cloud

    def ports(self, *, name: str | None = None, device_id: str = "") -> Iterator[Any]:
        if device_id:
            owners = ("network:router_interface", "network:router_gateway")
            return iter([SimpleNamespace(id=owner, device_owner=owner) for owner in owners])
        return iter(self._cloud.found("port", name))

    def delete_port(self, port: Any) -> None:
        self._cloud.delete("port", port.name)

    def ips(self, *, description: str) -> Iterator[Any]:
        return iter(self._cloud.found("floating-ip", description))

    def delete_ip(self, address: Any) -> None:
        self._cloud.delete("floating-ip", address.name)

    def security_groups(self, *, name: str) -> Iterator[Any]:
        return iter(self._cloud.found("security-group", name))

    def delete_security_group(self, group: Any) -> None:
        self._cloud.delete("security-group", group.name)

    def routers(self, *, name: str) -> Iterator[Any]:
        return iter(self._cloud.found("router", name))

    def remove_interface_from_router(self, router: Any, *, port_id: str) -> None:
        self._cloud.removed.append(("interface of router", port_id))

    def delete_router(self, router: Any) -> None:
        self._cloud.delete("router", router.name)

    def networks(self, *, name: str) -> Iterator[Any]:
        return iter(self._cloud.found("network", name))

    def delete_network(self, network: Any) -> None:
        self._cloud.delete("network", network.name)


class Images:
    """Glance."""

    def __init__(self, cloud: FakeCloud) -> None:
        self._cloud = cloud

    def images(self, *, name: str) -> Iterator[Any]:
        return iter(self._cloud.found("image", name))

    def delete_image(self, image: Any) -> None:
        self._cloud.delete("image", image.name)

    def find_image(self, name: str, *, ignore_missing: bool) -> Any:
        return SimpleNamespace(id=name)

    def members(self, image_id: str) -> Iterator[Any]:
        return iter(
            [SimpleNamespace(member_id=each.name.partition("/")[2]) for each in self._cloud.found("image-member")]
        )

    def remove_member(self, member: str, *, image: str) -> None:
        self._cloud.delete("image-member", f"{image}/{member}")


class Identity:
    """Keystone."""

    def __init__(self, cloud: FakeCloud) -> None:
        self._cloud = cloud

    def find_user(self, name: str, *, ignore_missing: bool) -> Any:
        return self._cloud.one("user", name)

    def delete_user(self, user: Any) -> None:
        self._cloud.delete("user", user.name)

    def find_domain(self, name: str, *, ignore_missing: bool) -> Any:
        return SimpleNamespace(id="default", name=name) if name == "Default" else None

    def users(self, *, name: str, domain_id: str) -> Iterator[Any]:
        assert domain_id == "default"
        return iter(self._cloud.found("user", name))

    def projects(self, *, name: str, domain_id: str) -> Iterator[Any]:
        assert domain_id == "default"
        return iter(self._cloud.found("project", name))

    def find_project(self, name: str, *, ignore_missing: bool, domain_id: str = "default") -> Any:
        return self._cloud.one("project", name)

    def delete_project(self, project: Any) -> None:
        self._cloud.delete("project", project.name)


class Orchestration:
    """Heat; the stack named t-admin is the administrator's."""

    def __init__(self, cloud: FakeCloud, owner: str) -> None:
        self._cloud, self._owner = cloud, owner

    def find_stack(self, name: str, *, ignore_missing: bool) -> Any:
        assert (name == "t-admin") == (self._owner == "admin")
        return self._cloud.one("stack", name)

    def delete_stack(self, stack_id: str, *, ignore_missing: bool) -> None:
        self._cloud.delete("stack", stack_id)

    def get_stack(self, stack_id: str) -> Any:
        found = self._cloud.one("stack", stack_id)
        if found is None:
            raise sdk.NotFoundException(stack_id)
        return SimpleNamespace(status="DELETE_FAILED", status_reason="a port is in use")


class Api:
    """An API each of whose methods is a request."""

    def __init__(self, cloud: FakeCloud, service: Any) -> None:
        self._cloud, self._service = cloud, service

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._service, name)

        def request(*arguments: Any, **named: Any) -> Any:
            self._cloud.call()
            return method(*arguments, **named)

        return request


def connection(cloud: FakeCloud, owner: str) -> Any:
    """All APIs for one owner."""
    services = {
        "compute": Compute(cloud, owner), "network": Network(cloud), "image": Images(cloud),
        "identity": Identity(cloud), "orchestration": Orchestration(cloud, owner),
    }  # fmt: skip
    return SimpleNamespace(**{name: Api(cloud, service) for name, service in services.items()})


class FakeUndercloud:
    """The undercloud over SSH: it has an rc file, takes `[ -e … ]` and `rm -f`."""

    rc_file: str | None = RC_FILE

    def __init__(self, cloud: FakeCloud) -> None:
        self._cloud = cloud
        self.endpoint = SimpleNamespace(user="stack")
        self.name = "undercloud"

    def read_file(self, path: str) -> str | None:
        assert path == "/home/stack/overcloudrc"
        return self.rc_file

    def run(self, command: str, *, timeout_s: float, as_root: bool) -> CommandOutput:
        assert not as_root
        words, shown = shlex.split(command), ""
        if words[:2] == ["[", "-e"]:
            shown = "yes\n" if self._cloud.one("undercloud-file", words[2]) else "no\n"
        else:
            assert words[:2] == ["rm", "-f"]
            self._cloud.delete("undercloud-file", words[2])
        return CommandOutput("undercloud", command, 0, shown, "", 0.0)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeCloud:
    """An empty cloud with an undercloud; waiting moves a clock and takes no time."""
    made = FakeCloud()
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    def as_admin(variables: dict[str, str]) -> Any:
        assert variables == ADMIN_VARIABLES
        return connection(made, "admin")

    def as_tenant(variables: dict[str, str]) -> Any:
        assert (variables["OS_USERNAME"], variables["OS_PROJECT_NAME"]) == ("t-tester", "t-gpu")
        assert variables["OS_AUTH_URL"] == ADMIN_VARIABLES["OS_AUTH_URL"]
        assert variables["OS_PASSWORD"] not in ("", ADMIN_VARIABLES["OS_PASSWORD"])
        return connection(made, "tenant")

    waiting = functools.partial(wait_for, clock=lambda: now[0], sleep=sleep)
    monkeypatch.setattr(resources, "wait_for", waiting)
    monkeypatch.setattr(stack, "wait_for", waiting)
    monkeypatch.setattr(
        cleanup, "undercloud_of", lambda cloud: FakeUndercloud(made) if cloud.undercloud is not None else None
    )
    monkeypatch.setattr(administrator, "connect", as_admin)
    monkeypatch.setattr(cleanup, "connect", as_tenant)
    return made


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    """A cloud of TripleO with a tenant; the ledger is in its own folder."""
    return Cloud.model_validate(
        {
            "name": "mine", "kind": "tripleo", "prefix": "t", "hosts": [{"name": "gpu-0"}],
            "undercloud": {"address": "192.0.2.1"},
            "tenant": {
                "project": "gpu", "user": "tester", "quota": {"cores": 1, "memory_mb": 1, "instances": 1},
            },
            "runs_directory": str(tmp_path / "runs"),
        }
    )  # fmt: skip


def ledger_of(cloud: Cloud) -> Ledger:
    return Ledger(cloud.runs / "ledger.jsonl")


def quiet() -> Progress:
    return Progress(io.StringIO())


def names(entries: list[Entry]) -> list[str]:
    return [entry.name for entry in entries]


def test_every_kind_has_a_place_in_the_order() -> None:
    """A new kind of resource needs a line in IN_ORDER."""
    assert {kind for kind, _, _ in IN_ORDER} == set(resources.KINDS)


def test_entries_are_removed_in_the_order_of_kinds(fake: FakeCloud, cloud: Cloud) -> None:
    """The order is that of the table, whatever the order of the ledger; then there is no ledger any more."""
    for kind, name, owner in (*IN_ORDER[::2], *IN_ORDER[1::2]):
        ledger_of(cloud).intend(kind, name, owner=owner)
        fake.put(kind, name)

    gone = cleanup.cleanup(cloud, quiet())

    assert [(entry.kind, entry.name, entry.owner) for entry in gone] == IN_ORDER
    within = ("host of aggregate", "interface of router")
    removed = [name for store, name in fake.removed if store not in within]
    assert removed == [name.partition("@")[0] for _, name, _ in IN_ORDER]
    assert ("interface of router", "network:router_interface") in fake.removed
    assert ("interface of router", "network:router_gateway") not in fake.removed
    assert fake.stores.pop("project") == ["t-gpu"]
    assert not any(fake.stores.values())
    assert not ledger_of(cloud).path.exists()


def test_an_aggregate_is_emptied_before_it_is_deleted(fake: FakeCloud) -> None:
    """Nova deletes no aggregate that has hosts."""
    fake.put("aggregate", "t-a")

    resources.remove(connection(fake, "admin"), "aggregate", "t-a")

    assert fake.removed == [("host of aggregate", "compute-0"), ("aggregate", "t-a")]


def test_only_resources_of_exactly_that_name_are_removed(fake: FakeCloud) -> None:
    """Nova's filter by name also finds names that contain it; those are of others."""
    for name in ("t-1", "t-10", "not-t-1"):
        fake.put("server", name)

    resources.remove(connection(fake, "admin"), "server", "t-1")

    assert fake.stores["server"] == ["t-10", "not-t-1"]


def test_all_resources_of_one_name_are_removed(fake: FakeCloud) -> None:
    """A name is not unique in the cloud: a request that was sent twice made two."""
    fake.put("port", "t-port")
    fake.put("port", "t-port")

    resources.remove(connection(fake, "admin"), "port", "t-port")

    assert fake.stores["port"] == []


def test_an_empty_ledger_needs_no_cloud(fake: FakeCloud, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without entries nobody logs in."""
    monkeypatch.delattr(cleanup, "Owners")
    shown = io.StringIO()

    gone = cleanup.cleanup(cloud, Progress(shown))

    assert gone == []
    assert "nothing to clean" in shown.getvalue()


def test_what_is_gone_already_counts_as_gone(fake: FakeCloud, cloud: Cloud) -> None:
    """What somebody else removed, or was never made, is closed without a request to delete it."""
    for kind, name, owner in IN_ORDER:
        ledger_of(cloud).intend(kind, name, owner=owner)

    gone = cleanup.cleanup(cloud, quiet())

    assert names(gone) == [name for _, name, _ in IN_ORDER]
    assert fake.removed == []
    assert not ledger_of(cloud).path.exists()


def test_what_vanishes_meanwhile_counts_as_gone(fake: FakeCloud) -> None:
    """A 404 for the deletion is an end like any other."""
    fake.put("user", "t-user")

    def vanish(user: Any) -> None:
        fake.stores["user"].clear()
        raise sdk.NotFoundException(user.name)

    admin = connection(fake, "admin")
    admin.identity.delete_user = vanish

    resources.remove(admin, "user", "t-user")

    assert not resources.exists(admin, "user", "t-user")


def test_without_its_project_nothing_of_a_tenant_remains(fake: FakeCloud, cloud: Cloud) -> None:
    """Nobody can log in as the tenant of a project that is gone: its entries are closed without."""
    fake.stores["project"].clear()
    ledger_of(cloud).intend("keypair", "t-key", owner="tenant")
    fake.put("keypair", "t-key")

    gone = cleanup.cleanup(cloud, quiet())

    assert names(gone) == ["t-key"]
    assert fake.removed == []


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (refusal(409, "Conflict: in use"), "Conflict: in use"),
        (refusal(403, "Policy does not allow it"), "Policy does not allow it"),
        (refusal(502, "Bad Gateway"), "Bad Gateway"),
        (keystoneauth1.exceptions.ConnectFailure("no route"), "no route"),
    ],
    ids=str,
)
def test_what_cannot_be_removed_stays_and_is_reported(
    fake: FakeCloud, cloud: Cloud, error: Exception, said: str
) -> None:
    """One refusal, of whatever kind, keeps neither the others from being removed nor its entry from the ledger."""
    for name in ("t-first", "t-refused", "t-last"):
        ledger_of(cloud).intend("image", name)
        fake.put("image", name)
    fake.refused["t-refused"] = error

    with pytest.raises(LedgerError, match=f"(?s)not everything is gone.*image t-refused: .*{said}.*--cleanup again"):
        cleanup.cleanup(cloud, quiet())

    assert fake.stores["image"] == ["t-refused"]
    assert names(ledger_of(cloud).open_entries()) == ["t-refused"]


def test_a_second_cleanup_removes_what_the_first_could_not(fake: FakeCloud, cloud: Cloud) -> None:
    """The ledger says what is left, and the next cleanup begins with it."""
    ledger_of(cloud).intend("image", "t-image")
    fake.put("image", "t-image")
    fake.refused["t-image"] = refusal(409, "Conflict")
    with pytest.raises(LedgerError):
        cleanup.cleanup(cloud, quiet())

    fake.refused.clear()
    gone = cleanup.cleanup(cloud, quiet())

    assert names(gone) == ["t-image"]
    assert not ledger_of(cloud).path.exists()


def test_what_is_still_there_after_its_deletion_stays_in_the_ledger(fake: FakeCloud, cloud: Cloud) -> None:
    """A deletion that was accepted is none: the cloud is asked again until the time is up."""
    ledger_of(cloud).intend("server", "t-stuck")
    fake.put("server", "t-stuck")
    fake.stuck.add("t-stuck")

    with pytest.raises(
        LedgerError, match=r"waited 300 s for the removal of server t-stuck; last state seen: still there"
    ):
        cleanup.cleanup(cloud, quiet())

    assert names(ledger_of(cloud).open_entries()) == ["t-stuck"]


def test_a_stack_that_heat_cannot_delete_is_told_with_its_reason(fake: FakeCloud, cloud: Cloud) -> None:
    """DELETE_FAILED ends the waiting, with the words of Heat."""
    ledger_of(cloud).intend("stack", "t-admin")
    fake.put("stack", "t-admin")
    fake.stuck.add("t-admin")

    with pytest.raises(LedgerError, match="a port is in use"):
        cleanup.cleanup(cloud, quiet())

    assert names(ledger_of(cloud).open_entries()) == ["t-admin"]


@pytest.mark.parametrize("error", [refusal(502, "Bad Gateway"), keystoneauth1.exceptions.ConnectFailure("no route")])
def test_a_tenant_that_cannot_be_looked_up_is_reported(
    fake: FakeCloud, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Not knowing whether the project is there is no reason to forget the tenant's entries, nor to end the cleanup."""
    ledger_of(cloud).intend("keypair", "t-key", owner="tenant")
    ledger_of(cloud).intend("image", "t-image")
    fake.put("image", "t-image")

    def fail(self: Identity, name: str, *, ignore_missing: bool, domain_id: str) -> Any:
        raise error

    monkeypatch.setattr(Identity, "find_project", fail)

    with pytest.raises(LedgerError, match="keypair t-key"):
        cleanup.cleanup(cloud, quiet())

    assert names(ledger_of(cloud).open_entries()) == ["t-key"]
    assert fake.stores["image"] == []


@pytest.mark.parametrize("error", [refusal(502, "Bad Gateway"), keystoneauth1.exceptions.ConnectFailure("no route")])
def test_an_api_that_fails_while_we_look_is_an_error_of_ours(fake: FakeCloud, error: Exception) -> None:
    """Nothing is known then, so it is neither there nor gone; and the error of a library does not get out."""

    def fail(*, name: str) -> Any:
        raise error

    admin = connection(fake, "admin")
    admin.network.ports = fail

    with pytest.raises(ProvisioningError, match="cannot look for port t-port"):
        resources.exists(admin, "port", "t-port")
    with pytest.raises(ConnectError, match="cannot remove port t-port"):
        resources.remove(admin, "port", "t-port")


def test_waiting_for_a_removal_ends_when_the_cloud_has_it_no_more(fake: FakeCloud) -> None:
    """A slow deletion is waited for, and not requested twice."""
    fake.put("port", "t-port")
    fake.stuck.add("t-port")
    admin, looks = connection(fake, "admin"), []

    def ports(*, name: str) -> list[Any]:
        looks.append(name)
        return fake.found("port", name) if len(looks) < 4 else []

    admin.network.ports = ports

    resources.remove(admin, "port", "t-port")

    assert len(looks) == 4
    assert fake.removed == [("port", "t-port")]


def test_a_cloud_file_without_its_undercloud_leaves_the_entries(cloud: Cloud, fake: FakeCloud) -> None:
    """Files of an undercloud that the cloud file names no more cannot be removed, and that is said."""
    ledger_of(cloud).intend("undercloud-file", "/tmp/x", owner="undercloud")
    owners = cleanup.Owners(cloud)
    owners.undercloud = None

    with pytest.raises(ProvisioningError, match="names no undercloud any more"):
        owners.connection("undercloud")

    assert names(ledger_of(cloud).open_entries()) == ["/tmp/x"]


def test_the_tenant_logs_in_once(cloud: Cloud, fake: FakeCloud) -> None:
    """All entries of the tenant share one connection."""
    owners = cleanup.Owners(cloud)

    assert owners.connection("tenant") is owners.connection("tenant")
    assert owners.connection("admin") is not owners.connection("tenant")


@pytest.mark.parametrize("simulated", [True, False])
def test_without_an_overcloud_only_a_lab_forgets(
    cloud: Cloud, fake: FakeCloud, monkeypatch: pytest.MonkeyPatch, simulated: bool
) -> None:
    """A lab that was made again has lost everything; a real cloud whose rc file is missing has lost nothing."""
    ledger_of(cloud).intend("image", "t-image")
    monkeypatch.setattr(FakeUndercloud, "rc_file", None)
    cloud = cloud.model_copy(update={"simulated": simulated})

    if simulated:
        assert names(cleanup.cleanup(cloud, quiet())) == ["t-image"]
        assert not ledger_of(cloud).path.exists()
        return
    with pytest.raises(ProvisioningError, match="no /home/stack/overcloudrc on the undercloud"):
        cleanup.cleanup(cloud, quiet())
    assert names(ledger_of(cloud).open_entries()) == ["t-image"]


def test_an_rc_file_is_read_as_a_shell_reads_it(cloud: Cloud, fake: FakeCloud) -> None:
    """Quotes and indentation are no part of a value, an equals sign is; other variables stay out."""
    found = administrator.become_administrator(cloud, FakeUndercloud(fake))

    assert found.variables == ADMIN_VARIABLES


def test_a_cloud_without_an_undercloud_needs_a_name_in_clouds_yaml(cloud: Cloud, fake: FakeCloud) -> None:
    """Without either there are no credentials, and that is said."""
    with pytest.raises(ProvisioningError, match="names no undercloud"):
        administrator.become_administrator(cloud, None)


def test_an_existing_cloud_is_entered_by_its_name(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Later connections read clouds.yaml again: its secrets are copied nowhere. The cloud file comes first."""
    monkeypatch.setattr(administrator, "connect", dict)
    openstack = {"cloud": "site", "region": "north", "interface": "internal", "cacert": "/ca.pem"}
    site = cloud.model_validate({**cloud.model_dump(exclude_unset=True), "kind": "existing", "openstack": openstack})

    found = administrator.become_administrator(site, None)

    assert found.variables == {
        "OS_CLOUD": "site", "OS_REGION_NAME": "north", "OS_INTERFACE": "internal", "OS_CACERT": "/ca.pem"
    }  # fmt: skip
    assert found.connection == found.variables


def test_a_removal_that_takes_too_long_is_a_timeout(fake: FakeCloud) -> None:
    """It is an error of its own, for who tells apart what was refused and what was slow."""
    fake.put("server", "t-stuck")
    fake.stuck.add("t-stuck")

    with pytest.raises(WaitTimeout):
        resources.remove(connection(fake, "admin"), "server", "t-stuck")


LOSSES = {
    "no answer": keystoneauth1.exceptions.ConnectFailure("no answer"),
    "no token": keystoneauth1.exceptions.Unauthorized("The request you have made requires authentication."),
    "no discovery": keystoneauth1.exceptions.DiscoveryFailure("could not find versioned identity endpoints"),
    "no endpoint": keystoneauth1.exceptions.EndpointNotFound("no endpoint for orchestration"),
    "503": keystoneauth1.exceptions.ServiceUnavailable("no server is available"),
    "a proxy without its backend": sdk.HttpException("bad gateway", http_status=502),
    "a cut answer": requests.exceptions.ChunkedEncodingError("connection broken"),
    "no JSON": requests.exceptions.JSONDecodeError("Expecting value", "<html>", 0),
    "another SDK error": sdk.SDKException("no proxy for this service"),
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_a_cloud_that_is_lost_halfway_is_an_error_of_ours(fake: FakeCloud, cloud: Cloud, loss: Exception) -> None:
    """Whichever request is the first without an answer, the ledger keeps what may be there."""
    for kind, name, owner in IN_ORDER:
        ledger_of(cloud).intend(kind, name, owner=owner)
        fake.put(kind, name)
    fake.loss = loss
    for answered in range(200):
        fake.calls_left = answered
        said = refusal_of(cloud)
        if not said:
            break
        entries = ledger_of(cloud).open_entries()
        left = {entry.name for entry in entries} | {entry.name.partition("@")[0] for entry in entries}
        assert left >= {name for names in fake.stores.values() for name in names} - {"t-gpu"}
        assert "not everything is gone" in said
        assert all(name in said for name in left)

    assert not ledger_of(cloud).path.exists()
    assert answered > 5


def refusal_of(cloud: Cloud) -> str:
    """What a clean-up says that cannot remove everything; "" if it can."""
    try:
        cleanup.cleanup(cloud, quiet())
    except LedgerError as error:
        return str(error)
    return ""


def test_what_tests_of_ended_runs_made_is_known_by_its_kind_and_name(cloud: Cloud) -> None:
    """What provisioning made is taken up again by the next run."""
    for kind, name, owner in [*IN_ORDER, ("stack", "t-lc-0123abcd-first", "tenant")]:
        ledger_of(cloud).intend(kind, name, owner=owner)

    found = {entry.name for entry in cleanup.leftovers(ledger_of(cloud))}

    expected = {name for kind, name, _ in IN_ORDER if kind in resources.KINDS_OF_TESTS}
    assert found == {*expected, "t-lc-0123abcd-first"}


def test_the_next_run_gives_back_what_tests_of_an_ended_run_left(
    fake: FakeCloud, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that nobody looks at has a card; what provisioning made is taken up again."""
    for kind, name, owner in [*IN_ORDER, ("stack", "t-lc-0123abcd-first", "tenant")]:
        ledger_of(cloud).intend(kind, name, owner=owner)
        fake.put(kind, name)
    (cloud.runs / "cards.json").write_text('{"queue": [], "leases": [{"token": "a", "pid": 1, "need": {}}]}')
    monkeypatch.setattr(provision, "connect", lambda variables: connection(fake, "admin"))

    left = provision.give_back_leftovers(cloud, ADMIN_VARIABLES, quiet())

    assert left == ()
    assert {name for names in fake.stores.values() for name in names} == {
        "t-gpu", "t-one-card", "t-guests", "t-key", "t-admin", "t-router", "t-internal", "t-somebody", "t-project",
        "t-flavor", "image-id/project-id", "t-image", "/home/stack/t file",
    }  # fmt: skip
    assert not (cloud.runs / "cards.json").exists()


def test_what_cannot_be_given_back_is_named(fake: FakeCloud, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are removed nevertheless, and a test that finds no card says whose they may be."""
    for name in ("t-lc-1-server-0", "t-lc-2-server-0"):
        ledger_of(cloud).intend("server", name)
        fake.put("server", name)
    fake.refused["t-lc-1-server-0"] = refusal(409, "it is being migrated")
    monkeypatch.setattr(provision, "connect", lambda variables: connection(fake, "admin"))
    said = io.StringIO()

    left = provision.give_back_leftovers(cloud, ADMIN_VARIABLES, Progress(said))

    assert left == ("server t-lc-1-server-0",)
    assert "it is being migrated" in said.getvalue()
    assert fake.stores["server"] == ["t-lc-1-server-0"]


def test_without_credentials_what_is_left_is_said(cloud: Cloud) -> None:
    """Provisioning of the run that is reused ended before there were any."""
    ledger_of(cloud).intend("server", "t-lc-1-server-0")

    (said,) = provision.give_back_leftovers(cloud, {}, quiet())

    assert "resources of ended runs" in said


def test_an_authority_s_file_of_the_undercloud_is_none_of_ours(
    fake: FakeCloud, cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OS_CACERT of an rc file is a path there; the cloud file names the file here. The interface is the rc file's."""
    monkeypatch.setattr(administrator, "connect", dict)
    undercloud: Any = FakeUndercloud(fake)
    undercloud.rc_file = (
        "export OS_AUTH_URL=https://192.0.2.9\nexport OS_CACERT=/etc/absent.crt\nexport OS_INTERFACE=internal\n"
    )
    ours = cloud.openstack.model_copy(update={"cacert": tmp_path / "ca.pem"})

    without = administrator.become_administrator(cloud, undercloud).variables
    named = administrator.become_administrator(cloud.model_copy(update={"openstack": ours}), undercloud).variables

    assert without == {"OS_AUTH_URL": "https://192.0.2.9", "OS_INTERFACE": "internal"}
    assert named == {**without, "OS_CACERT": str(tmp_path / "ca.pem")}


def test_an_instance_is_removed_as_it_was_made(fake: FakeCloud, cloud: Cloud) -> None:
    """The ledger tells how: by Heat, or by the services' own APIs; those of another name stay."""
    ledger = ledger_of(cloud)
    for kind, name, owner in IN_ORDER:
        ledger.intend(kind, name, owner=owner)
        fake.put(kind, name)
    tenant = connection(fake, "tenant")

    remove_guest(tenant, "t-guests", ledger)
    remove_guest(tenant, "t-one-card", ledger)

    assert fake.removed == [
        ("stack", "t-guests"), ("server", "t-one-card"), ("floating-ip", "t-one-card"), ("port", "t-one-card"),
        ("security-group", "t-one-card"),
    ]  # fmt: skip
    assert {entry.name for entry in ledger.open_entries()} == {name for _, name, _ in IN_ORDER} - {
        "t-guests",
        "t-one-card",
    }

"""What a lifecycle test makes has its token in the name, is in the ledger first, and is given back."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from openstack import exceptions as sdk

from access.errors import LedgerError, ProvisioningError, WaitTimeout
from access.waiting import wait_for
from cloud_file.cloud import Cloud
from provisioning.environment import Environment
from provisioning.ledger import Ledger
from provisioning.openstack import instances, resources
from provisioning.scenario import making, removal
from provisioning.scenario.scenario import Scenario

SERVICES = "http://192.0.2.1"
CLOUD = {
    "name": "mine",
    "kind": "existing",
    "prefix": "t",
    "hosts": [{"name": "gpu-0"}],
    "gpus": [{"model": "P100", "product_id": "15f8", "device_type": "type-PCI"}],
    "aliases": [{"name": "a1", "gpu": "P100"}, {"name": "a2", "gpu": "P100"}],
    "flavors": [
        {"name": "big", "vcpus": 4, "memory_mb": 4096, "disk_gb": 20, "aliases": {"a1": 1}},
        {"name": "small", "vcpus": 2, "memory_mb": 2048, "disk_gb": 5, "aliases": {"a1": 1}},
    ],
}


def answer(status: int, message: str) -> sdk.HttpException:
    """The error of openstacksdk for an answer of Nova's shape."""
    response = requests.Response()
    response.status_code, response.url = status, f"{SERVICES}/servers"
    response.headers["content-type"] = "application/json"
    response._content = json.dumps({"refused": {"code": status, "message": message}}).encode()
    response.request = requests.Request("POST", response.url).prepare()
    with pytest.raises(sdk.HttpException) as raised:
        sdk.raise_from_response(response)
    return raised.value


class FakeNova:
    """The compute API of one cloud; a method that it has not, or another argument, fails the test.

    Before it makes anything it looks whether the ledger has it.
    """

    def __init__(self, ledger: Ledger, calls: list[str]) -> None:
        self._ledger, self._calls = ledger, calls
        self.there: dict[str, Any] = {}
        """Instances by id, in the order in which they were made."""
        self.flavors: dict[str, dict[str, Any]] = {}
        self.refuses: dict[str, Exception] = {}
        """By call, as it stands in the list of calls: the answer."""
        self.stuck: set[str] = set()
        """Ids of instances whose deletion is taken and never carried out."""
        self.fault = ""
        """Why Nova puts every new instance into ERROR."""
        self.made_of_a_request: int | None = None
        """How many instances it makes, if not as many as it is asked for."""
        self.down = False

    def call(self, text: str) -> None:
        """Note a call, and refuse it."""
        self._calls.append(text)
        if text in self.refuses:
            raise self.refuses[text]

    def create_server(self, **asked: Any) -> Any:
        name, count = asked["name"], asked.get("max_count", 1)
        assert self._ledger.knows("server", name)
        assert set(asked) <= {"name", "flavor_id", "image_id", "networks", "user_data", "min_count", "max_count"}
        self.call("create_server")
        names = [name] if count == 1 else [f"{name}-{number}" for number in range(1, count + 1)]
        for each in names[: self.made_of_a_request]:
            assert self._ledger.knows("server", each)
            status = "ERROR" if self.fault else "ACTIVE"
            ident = f"id-{len(self.there)}"
            self.there[ident] = SimpleNamespace(
                id=ident, name=each, status=status, task_state=None, fault={"message": self.fault}
            )
        return SimpleNamespace(id="id-0")

    def servers(self, *, details: bool, all_projects: bool = False, name: str = "") -> list[Any]:
        self.call("servers")
        return [item for item in self.there.values() if name in item.name]

    def get_server(self, server_id: str) -> Any:
        self.call(f"get {server_id}")
        if server_id not in self.there:
            raise answer(404, "no such instance")
        return self.there[server_id]

    def delete_server(self, server: Any, *, ignore_missing: bool, force: bool = False) -> None:
        assert ignore_missing
        assert not force
        self.call(f"delete {server.id}")
        if server.id not in self.stuck:
            self.there.pop(server.id)

    def create_flavor(self, *, name: str, vcpus: int, ram: int, disk: int, is_public: bool) -> Any:
        assert self._ledger.knows("test-flavor", name)
        assert not is_public
        self.flavors[name] = {"size": (vcpus, ram, disk), "specs": {}, "tenants": []}
        return SimpleNamespace(id=f"flavor {name}", name=name)

    def create_flavor_extra_specs(self, flavor: Any, specs: dict[str, str]) -> None:
        self.flavors[flavor.name]["specs"] |= specs

    def flavor_add_tenant_access(self, flavor: Any, project: str) -> None:
        self.flavors[flavor.name]["tenants"].append(project)

    def find_flavor(self, name: str, *, ignore_missing: bool) -> Any:
        return SimpleNamespace(name=name) if name in self.flavors else None

    def delete_flavor(self, flavor: Any) -> None:
        self.call("delete flavor")
        self.flavors.pop(flavor.name)

    def services(self, *, binary: str) -> list[Any]:
        return [SimpleNamespace(host="compute-0.localdomain", binary=binary, is_forced_down=self.down)]

    def update_service_forced_down(self, service: Any, host: str, binary: str, forced: bool) -> None:
        self.call("force up")
        self.down = forced


class FakeNeutron:
    """The tenant's network, and ports."""

    def __init__(self, ledger: Ledger, calls: list[str]) -> None:
        self._ledger, self._calls = ledger, calls
        self.ports_there: list[Any] = []
        self.network: Any = SimpleNamespace(id="net")
        self.refuses: Exception | None = None

    def find_network(self, name: str, *, ignore_missing: bool) -> Any:
        assert name == "t-internal"
        return self.network

    def create_port(self, *, network_id: str, name: str, binding_vnic_type: str, binding_profile: Any) -> Any:
        assert self._ledger.knows("port", name)
        if self.refuses:
            raise self.refuses
        port = SimpleNamespace(id="p", name=name, binding_profile=binding_profile)
        self.ports_there.append(port)
        return port

    def get_port(self, port_id: str) -> Any:
        return next(port for port in self.ports_there if port.id == port_id)

    def ports(self, *, name: str) -> list[Any]:
        return [port for port in self.ports_there if port.name == name]

    def delete_port(self, port: Any) -> None:
        self._calls.append("delete port")
        self.ports_there.remove(port)


class FakeViews:
    """Nova's claims, a new answer with each look; the last one stays."""

    def __init__(self, calls: list[str], *answers: tuple[Any, ...] | None) -> None:
        self._calls, self.answers = calls, list(answers)

    def claims(self) -> tuple[Any, ...] | None:
        self._calls.append("claims")
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class Bench:
    """A scenario and the fakes around it."""

    def __init__(self, folder: Path) -> None:
        self.calls: list[str] = []
        self.ledger = Ledger(folder / "ledger.jsonl")
        self.nova, self.neutron = FakeNova(self.ledger, self.calls), FakeNeutron(self.ledger, self.calls)
        self.views = FakeViews(self.calls, ())
        connection = SimpleNamespace(compute=self.nova, network=self.neutron)
        self.now = 0.0
        self.scenario = Scenario(
            Cloud.model_validate(CLOUD), Environment(image_id="img", project_id="project"), connection, connection,
            self.views, SimpleNamespace(), self.ledger, "cafe0123",
        )  # fmt: skip

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    def open_kinds(self) -> list[str]:
        """Kinds of what the ledger still has, oldest first."""
        return [entry.kind for entry in reversed(self.ledger.open_entries())]

    def order(self, *calls: str) -> list[str]:
        """The calls that were noted, of these ones, in their order."""
        return [call for call in self.calls if call in calls]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """An empty cloud; waiting moves a clock and takes no time."""
    made = Bench(tmp_path)
    waiting = functools.partial(wait_for, clock=lambda: made.now, sleep=made.sleep)
    for module in (instances, resources, making, removal):
        monkeypatch.setattr(module, "wait_for", waiting)
    return made


def claim(instance_id: str | None, host: str = "compute-0") -> Any:
    return SimpleNamespace(host=host, address="0000:3b:00.0", instance_id=instance_id)


def test_names_carry_prefix_mark_and_token(bench: Bench) -> None:
    """A name tells whose cloud file, that a test made it, and which one; no two are the same."""
    names = [bench.scenario.new_name(kind) for kind in ("server", "port", "server")]

    assert names == ["t-lc-cafe0123-server-0", "t-lc-cafe0123-port-1", "t-lc-cafe0123-server-2"]


def test_a_name_is_in_the_ledger_when_it_is_given(bench: Bench) -> None:
    """The process may be killed right after: the ledger knows the name before its user does."""
    name = bench.scenario.new_name("aggregate")

    assert bench.ledger.knows("aggregate", name)
    assert bench.scenario.made == [("aggregate", name)]


def test_without_a_ledger_no_name_is_given(bench: Bench) -> None:
    """What cannot be written down is not made."""
    bench.ledger.path.mkdir()

    with pytest.raises(LedgerError):
        bench.scenario.request("f")

    assert bench.calls == []


@pytest.mark.parametrize(
    ("cards", "alias"), [(0, None), (2, "a1:2"), ({"a1": 1, "a2": 2}, "a1:1,a2:2"), ({"a1": 0, "a2": 1}, "a2:1")]
)
def test_a_flavor_asks_for_its_cards(bench: Bench, cards: Any, alias: str | None) -> None:
    """Aliases without a card are left out; the disk is the smallest one declared; only the tenant may use it."""
    bench.scenario.flavor(cards, extra_specs={"hw:cpu_policy": "dedicated"})

    (made,) = bench.nova.flavors.values()
    assert made["specs"].pop("pci_passthrough:alias", None) == alias
    assert made == {"size": (2, 2048, 5), "specs": {"hw:cpu_policy": "dedicated"}, "tenants": ["project"]}


def test_several_instances_of_one_request_are_recorded_one_by_one(bench: Bench) -> None:
    """Nova numbers them, so each has an entry of its own before the request is sent."""
    ids = bench.scenario.boot_servers("f", 2)

    assert ids == ["id-0", "id-1"]
    assert [item.name for item in bench.nova.there.values()] == [
        "t-lc-cafe0123-server-0-1", "t-lc-cafe0123-server-0-2"
    ]  # fmt: skip
    assert bench.calls.count("create_server") == 1


def test_an_instance_that_nova_did_not_make_is_missed(bench: Bench) -> None:
    """Fewer instances than asked for are a finding that names the missing one."""
    bench.nova.made_of_a_request = 1

    with pytest.raises(ProvisioningError, match=r"of 2 instances, not t-lc-cafe0123-server-0-2"):
        bench.scenario.boot_servers("f", 2)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "Invalid PCI alias definition: a9 is not defined"),
        (403, "Quota exceeded for instances: Requested 1, but already used 3 of 3 instances"),
        (409, "Multiple possible networks found"),
    ],
)
def test_a_refused_request_is_told_with_novas_words(bench: Bench, status: int, words: str) -> None:
    """Whatever status Nova refuses with, its own reason gets to the judge; the entry stays for the giving back."""
    bench.nova.refuses["create_server"] = answer(status, words)

    told = bench.scenario.refusal("f")

    assert words in told
    assert bench.open_kinds() == ["server"]


def test_an_instance_in_error_is_told_with_novas_fault(bench: Bench) -> None:
    """A request that is taken and ends in ERROR is refused as well."""
    bench.nova.fault = "No valid host was found. There are not enough hosts available."

    told = bench.scenario.refusal("f")

    assert told == f"t-lc-cafe0123-server-0 is in ERROR: {bench.nova.fault}"


def test_an_instance_that_becomes_active_is_no_refusal(bench: Bench) -> None:
    """Then there is nothing to tell."""
    assert bench.scenario.refusal("f") == ""
    assert bench.calls == ["create_server", "get id-0"]


def test_without_a_network_of_ours_no_instance_is_requested(bench: Bench) -> None:
    """Nova would take another network of the tenant, or none."""
    bench.neutron.network = None

    with pytest.raises(ProvisioningError, match="no network of ours"):
        bench.scenario.request("f")

    assert bench.calls == []


def test_a_refused_port_is_told_with_its_status(bench: Bench) -> None:
    """Neutron's refusal is an answer, and what is stored is empty then."""
    bench.neutron.refuses = answer(403, "rule:create_port:binding:profile is disallowed by policy")

    told, stored = bench.scenario.port_with_profile({"pci_slot": "0000:3b:00.0"})

    assert told.startswith("403 ")
    assert "disallowed by policy" in told
    assert stored == {}


def make_everything(bench: Bench) -> None:
    """A flavor, two instances, a port and a host that is forced down, in an order that is wrong for removing them."""
    bench.scenario.flavor(1)
    bench.scenario.port_with_profile({})
    bench.scenario.boot_servers("f", 1)
    bench.scenario.boot_servers("f", 1)
    bench.scenario.record("forced-down", "compute-0")
    bench.nova.down = True
    bench.calls.clear()


REMOVALS = ("force up", "delete id-0", "delete id-1", "get id-0", "delete port", "delete flavor", "claims")


def test_everything_made_is_given_back_in_its_order(bench: Bench) -> None:
    """The host first, all instances at once, then what they used; the cards are free at last."""
    make_everything(bench)

    bench.scenario.give_back()

    assert bench.order(*REMOVALS) == list(REMOVALS)
    assert bench.open_kinds() == []
    assert [bench.nova.there, bench.nova.flavors, bench.neutron.ports_there, bench.nova.down] == [{}, {}, [], False]


def test_only_what_the_test_made_is_given_back(bench: Bench) -> None:
    """Neither instances of others are deleted, nor entries of other tests closed."""
    bench.ledger.intend("server", "t-lc-beef-server-0")
    bench.nova.there["other"] = SimpleNamespace(id="other", name="t-lc-beef-server-0")
    bench.scenario.port_with_profile({})
    bench.scenario.new_name("server")

    bench.scenario.give_back()

    assert list(bench.nova.there) == ["other"]
    assert [entry.name for entry in bench.ledger.open_entries()] == ["t-lc-beef-server-0"]


def test_what_was_never_made_is_given_back(bench: Bench) -> None:
    """A name whose request was refused is closed when the cloud does not have it."""
    bench.nova.refuses["create_server"] = answer(403, "Quota exceeded")
    bench.scenario.refusal("f")

    bench.scenario.give_back()

    assert bench.open_kinds() == []


def test_instances_are_given_back_without_a_list_of_all(bench: Bench) -> None:
    """When the list of all instances fails once, each one is looked for and deleted by its name."""
    make_everything(bench)
    listing = bench.nova.servers

    def fail_once(**asked: Any) -> Any:
        bench.nova.servers = listing
        raise answer(502, "Bad Gateway")

    bench.nova.servers = fail_once

    bench.scenario.give_back()

    assert bench.nova.there == {}
    assert bench.open_kinds() == []


@pytest.mark.parametrize("status", [409, 403, 502])
@pytest.mark.parametrize(
    ("call", "kind"),
    [("delete id-0", "server"), ("get id-0", "server"), ("delete flavor", "test-flavor"), ("force up", "forced-down")],
)
def test_one_failed_removal_does_not_keep_the_others(bench: Bench, call: str, kind: str, status: int) -> None:
    """Whatever the API refuses, and with whatever status, the rest is removed and only this one stays in the ledger."""
    make_everything(bench)
    bench.nova.refuses[call] = answer(status, "not now, says Nova")

    with pytest.raises(LedgerError, match=f"(?s)not everything is gone.*{kind} .*not now, says Nova.*--cleanup"):
        bench.scenario.give_back()

    assert bench.open_kinds() == [kind]
    assert bench.neutron.ports_there == []


def test_an_instance_that_stays_is_told_and_kept_in_the_ledger(bench: Bench) -> None:
    """A deletion that was accepted is none until Nova has the instance no more."""
    make_everything(bench)
    bench.nova.stuck.add("id-1")

    with pytest.raises(LedgerError, match="waited 300 s for the deletion of id-1; last state seen: ACTIVE"):
        bench.scenario.give_back()

    assert [entry.name for entry in bench.ledger.open_entries()] == ["t-lc-cafe0123-server-3"]


def test_a_test_without_instances_asks_for_none(bench: Bench) -> None:
    """A list of all instances of a large cloud is not asked for in vain."""
    bench.scenario.give_back()

    assert bench.calls == ["claims"]


def test_cards_are_waited_for_until_nova_frees_them(bench: Bench) -> None:
    """Claims of the deleted instances count, those of others and cards without an instance do not."""
    others = (claim("other"), claim(None))
    bench.views.answers = [(claim("mine"), *others), (claim("mine"), *others), others]

    bench.scenario.wait_until_free("mine", "mine too")

    assert bench.calls == ["claims"] * 3
    assert 0.6 <= bench.now < 1


def test_a_card_that_stays_claimed_is_named(bench: Bench) -> None:
    """The next test would find no card: it must not begin as if there was one."""
    bench.views.answers = [(claim("mine", "compute-1"), claim("other"))]

    with pytest.raises(WaitTimeout, match=re.escape("last state seen: ['compute-1 0000:3b:00.0']")):
        bench.scenario.wait_until_free("mine")

    assert bench.now >= removal.AUDIT_TIMEOUT_S


def test_a_cloud_that_shows_no_claims_is_not_waited_for(bench: Bench) -> None:
    """Without access to Nova's database there is nothing to wait for."""
    bench.views.answers = [None]

    bench.scenario.wait_until_free("mine")

    assert (bench.calls, bench.now) == (["claims"], 0.0)


def test_giving_back_waits_for_the_cards_of_its_own_instances(bench: Bench) -> None:
    """The ids of the deleted instances are those whose claims are looked for."""
    bench.scenario.boot_servers("f", 1)
    bench.views.answers = [(claim("id-0"),), (claim("other"),)]

    bench.scenario.give_back()

    assert bench.calls.count("claims") == 2

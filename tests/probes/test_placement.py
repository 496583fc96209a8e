"""Placement and Nova are read in few requests, side by side, however many hosts a cloud has."""

from __future__ import annotations

import threading
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from openstack.compute.v2 import server

from access.errors import ParseError
from probes import alias_request
from probes.openstack import held_cards, placement

CARD = "CUSTOM_PCI_10DE_2330"


class Placement:
    """`connection.placement` of a cloud with so many hosts of two cards each; counts what it is asked."""

    def __init__(self, hosts: int, *, domain: str = "", nested: bool = True, refuses: str = "") -> None:
        self.asked: Counter[str] = Counter()
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        self._refuses = refuses
        self.providers = []
        for number in range(hosts):
            root = f"root-{number}"
            for card in (1, 2) if nested else ():  # listed before their host, as the database likes
                name = f"gpu-{number}{domain}_0000:0{card}:00.0"
                self.providers.append({"name": name, "uuid": f"{root}-{card}", "root_provider_uuid": root})
            self.providers.append({"name": f"gpu-{number}{domain}", "uuid": root, "root_provider_uuid": root})

    def get(self, path: str, *, microversion: str | None) -> Any:
        with self._lock:
            self.asked[path.rsplit("/", 1)[1]] += 1
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return self._answer(path)
        finally:
            with self._lock:
                self._at_once -= 1

    def _answer(self, path: str) -> Any:
        if path == "/resource_providers":
            return _json({"resource_providers": self.providers})
        _, _, uuid, what = path.split("/")
        if uuid == self._refuses:
            return SimpleNamespace(ok=False, status_code=404, text="no such provider")
        is_root = uuid.count("-") == 1
        inventory = {"total": 48 if is_root else 1, "reserved": 0, "allocation_ratio": 1.0, "max_unit": 1}
        answers = {
            "inventories": {"inventories": {"VCPU" if is_root else CARD: inventory}},
            "usages": {"usages": {"VCPU" if is_root else CARD: 1}},
            "traits": {"traits": ["HW_CPU"] if is_root else []},
            "allocations": {"allocations": {f"consumer-{uuid}": {"resources": {CARD: 1}}}},
        }
        return _json(answers[what])


def _json(content: dict[str, Any]) -> Any:
    return SimpleNamespace(ok=True, json=lambda: content)


def _connection(api: Placement) -> Any:
    return SimpleNamespace(placement=api)


@pytest.mark.parametrize("hosts", [2, 50])
def test_all_hosts_are_listed_once_and_each_provider_is_asked_once(hosts: int):
    api = Placement(hosts)

    trees = placement.of_hosts(_connection(api), [f"gpu-{number}" for number in range(hosts)])

    assert api.asked == {"resource_providers": 1, "inventories": 3 * hosts, "usages": 3 * hosts, "traits": 3 * hosts}
    assert api.most_at_once <= placement.AT_ONCE
    for number in range(hosts):
        found = trees.of(f"gpu-{number}")
        assert found is not None
        assert (found.totals, len(found.devices)) == ({"VCPU": 48, CARD: 2}, 2)
        assert found.inventories["VCPU"].used == 1


def test_providers_are_read_side_by_side():
    """Each of the first answers waits for another question: one after another they would wait for ever."""
    api = Placement(placement.AT_ONCE)
    meeting, answer = threading.Barrier(placement.AT_ONCE), api.get

    def get(path: str, *, microversion: str | None) -> Any:
        if path.endswith("/allocations") and path.count("-") == 1:
            meeting.wait(timeout=30)
        return answer(path, microversion=microversion)

    api.get = get  # type: ignore[method-assign]

    assert len(placement.allocated(_connection(api)).allocations) == 3 * placement.AT_ONCE


def test_hosts_that_nobody_declared_cost_nothing():
    """A cloud of a thousand hosts of which two have cards is not read as a whole."""
    api = Placement(50)

    placement.of_hosts(_connection(api), ["gpu-3", "gpu-7", "gone"])

    assert api.asked == {"resource_providers": 1, "inventories": 6, "usages": 6, "traits": 6}


@pytest.mark.parametrize("domain", ["", ".localdomain", ".gpu.example.org"])
def test_a_card_is_never_taken_for_its_host(domain: str):
    """A card's provider begins with the host's name, and may be listed before it."""
    found = placement.of_host(_connection(Placement(2, domain=domain)), "gpu-1")

    assert found is not None
    assert found.totals == {"VCPU": 48, CARD: 2}
    assert placement.inventory(_connection(Placement(2, domain=domain)), "gpu-1", "VCPU").total == 48


def test_a_placement_that_knows_no_trees_is_read_as_well():
    """Before Queens no provider is named as a root."""
    api = Placement(2, nested=False)
    api.providers = [{"name": item["name"], "uuid": item["uuid"]} for item in api.providers]

    found = placement.of_host(_connection(api), "gpu-1")

    assert found is not None
    assert found.totals == {"VCPU": 48}


def test_a_host_that_cannot_be_read_hides_no_other():
    trees = placement.of_hosts(_connection(Placement(3, refuses="root-1-2")), ["gpu-0", "gpu-1", "gpu-2"])

    assert trees.of("gpu-0")
    assert trees.of("gpu-2")
    with pytest.raises(ParseError, match="404"):
        trees.of("gpu-1")
    assert trees.of("gpu-9") is None


def test_allocations_belong_to_their_hosts():
    api = Placement(50, domain=".example.org")

    found = placement.allocated(_connection(api))

    assert api.asked == {"resource_providers": 1, "allocations": 150}
    assert len(found.reported) == 100
    by_consumer = {item.consumer_id: (item.host, item.address) for item in found.allocations}
    assert by_consumer["consumer-root-7-2"] == ("gpu-7", "0000:02:00.0")
    assert by_consumer["consumer-root-7"] == ("gpu-7", None)


class OldNova:
    """`connection.compute` before microversion 2.47: instances show their flavor's id only."""

    def __init__(self, servers: int) -> None:
        self.asked: Counter[str] = Counter()
        self._servers = servers

    def servers(self, *, all_projects: bool) -> list[server.Server]:
        self.asked["servers"] += 1
        return [
            server.Server(name=f"vm-{number}", compute_host=f"gpu-{number}.example.org", flavor={"id": f"{number % 2}"})
            for number in range(self._servers)
        ]

    def find_flavor(self, flavor_id: str, *, get_extra_specs: bool, ignore_missing: bool) -> Any:
        self.asked["flavor"] += 1
        return SimpleNamespace(extra_specs={alias_request.ALIAS: "a1:2"} if flavor_id == "0" else None)


@pytest.mark.filterwarnings("ignore:The _compute_attributes")
@pytest.mark.parametrize("servers", [2, 50])
def test_a_flavor_is_asked_once_however_many_instances_have_it(servers: int):
    compute = OldNova(servers)

    found = held_cards.read(SimpleNamespace(compute=compute))

    assert compute.asked == {"servers": 1, "flavor": 2}
    assert {(item.host, item.cards) for item in found} == {(f"gpu-{number}", 2) for number in range(0, servers, 2)}

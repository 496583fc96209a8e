"""From what was seen to a file: what is there, what is asked, and that a run can use it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from seen import H100, KOLLA, cloud, controller, gpu_host, hypervisor, seen, service, unreachable

from access.errors import CloudFileError
from cloud_file.cloud import Cloud
from cloud_file.loading import load
from cloud_file.questions import open_questions
from discovery.cloud_facts import CloudFacts, ImageSummary, free_range
from discovery.draft import Draft, draft
from discovery.host_facts import Card, read
from discovery.machines import Access, Machine
from discovery.matching import found_hosts, unknown_computes, unknown_controllers
from discovery.writing import text, write
from probes.openstack.held_cards import Holder
from probes.references import gpu_models
from probes.references.products import nvidia_products


def _loaded(tmp_path: Path, made: Draft) -> Cloud:
    file = tmp_path / "found.yaml"
    file.write_text(text(made), encoding="utf-8")
    return load(file)


def test_a_cloud_that_is_seen_whole_needs_no_answer(tmp_path: Path) -> None:
    """Twelve hosts of eight cards: a short file without a question, that a run can use."""
    made = draft(seen(cloud(12), controller(), *(gpu_host(number) for number in range(1, 13))))

    found = _loaded(tmp_path, made)

    assert not made.open
    assert found.deployer == "kolla-ansible"
    assert [host.name for host in found.hosts] == ["control1", *(f"gpu{number}" for number in range(1, 13))]
    assert sum(host.gpu_count for host in found.hosts) == 96
    assert {(host.firmware, host.cpu_vendor, host.address is None) for host in found.computes} == {
        ("uefi", "amd", False)
    }
    assert [(alias.name, alias.gpu) for alias in found.aliases] == [("h100", "H100-PCIE-80GB")]
    assert len([line for line in text(made).splitlines() if line and not line.startswith("#")]) <= 40


def test_its_instances_have_every_card_but_one(tmp_path: Path) -> None:
    """One stays free for the suites that make instances of their own, and is excused."""
    found = _loaded(tmp_path, draft(seen(cloud(3), controller(), *(gpu_host(number) for number in (1, 2, 3)))))

    cards = sum(found.flavor(guest.flavor).aliases["h100"] for guest in found.guests)
    assert cards == 23
    assert [(excuse.cards, excuse.host) for excuse in found.excused_cards] == [(1, None)]
    assert found.flavor("g.8").memory_mb == 524288, "the cloud's own size"
    assert [guest.flavor for guest in found.guests][:2] == ["g.8", "g.8"], "instances that need a whole host come first"


def test_cards_of_others_are_left_to_them(tmp_path: Path) -> None:
    """Who uses the cloud keeps the cards, and the file says why they are not measured."""
    facts = cloud(2, holders=(Holder("theirs", "gpu1", 6),))

    found = _loaded(tmp_path, draft(seen(facts, controller(), gpu_host(1), gpu_host(2))))

    assert {(excuse.host, excuse.cards) for excuse in found.excused_cards} == {("gpu1", 6), (None, 1)}
    assert sum(sum(found.flavor(guest.flavor).aliases.values()) for guest in found.guests) == 9


def test_a_host_that_has_another_name_in_nova_gets_that_one(tmp_path: Path) -> None:
    """By what the machine calls itself, by its address, or by the id that it shares with Nova."""
    renamed = [
        replace(gpu_host(1), machine=Machine("rack7-slot1", "198.51.100.1")),
        replace(gpu_host(2), machine=Machine("rack7-slot2", "192.0.2.22"), names=frozenset({"localhost"})),
        replace(
            gpu_host(3),
            machine=Machine("rack7-slot3", "198.51.100.3"),
            names=frozenset({"localhost"}),
            addresses=frozenset(),
            compute_id="uuid-3",
        ),
    ]

    found = _loaded(tmp_path, draft(seen(cloud(3), controller(), *renamed)))

    assert [(host.name, host.address) for host in found.computes] == [
        ("gpu1", "198.51.100.1"),
        ("gpu2", "192.0.2.22"),
        ("gpu3", "198.51.100.3"),
    ]


def test_a_machine_of_another_cloud_is_asked_about() -> None:
    """Behind one bastion two clouds may have the same names and addresses: the ids of their computes differ."""
    made = draft(seen(cloud(2), controller(), gpu_host(1, compute_id="uuid-1"), gpu_host(2, compute_id="of-others")))

    assert [question for question in made.open if "another cloud" in question] == [
        "gpu2: its nova-compute is known to another Nova than this one: is it a host of another cloud?"
    ]


def test_hosts_that_nova_does_not_know_and_hosts_that_nobody_named() -> None:
    """Computes are tried at Nova's address, schedulers by name; cards that Nova does not know are asked about."""
    facts = cloud(3)
    looked = (gpu_host(1), replace(gpu_host(9), machine=Machine("spare", "192.0.2.99"), names=frozenset({"spare"})))

    assert [(each.name, each.address) for each in unknown_computes(facts, looked)] == [
        ("gpu2", "192.0.2.22"),
        ("gpu3", "192.0.2.23"),
    ]
    assert [each.name for each in unknown_controllers(facts, looked)] == ["control1"]
    assert (
        "spare has 8 NVIDIA cards, and Nova knows no compute of that name: should it be one?"
        in draft(seen(facts, controller(), *looked)).open
    )


def test_half_of_the_hosts_do_not_answer(tmp_path: Path) -> None:
    """One question for all that fail alike; what Placement knows of their cards is taken from there."""
    hosts = [gpu_host(number) if number % 2 else unreachable(gpu_host(number)) for number in range(1, 7)]
    made = draft(seen(cloud(6), controller(), *hosts, placement_cards={"gpu2": {"2331": 8}}))

    found = _loaded(tmp_path, made)

    assert [question for question in made.open if "not looked at" in question] == [
        "gpu2, gpu4, gpu6: not looked at: cannot reach HOST (root@HOST port 22): no answer in time: "
        "which cards, which firmware?"
    ]
    assert {host.name: host.gpu_count for host in found.computes} == {
        "gpu1": 8, "gpu2": 8, "gpu3": 8, "gpu4": 0, "gpu5": 8, "gpu6": 0,
    }  # fmt: skip


def test_no_host_answers() -> None:
    """The file says what is missing, and what an answer would look like."""
    made = draft(seen(cloud(2, flavors=()), *(unreachable(gpu_host(number)) for number in (1, 2))))

    content = text(made)

    assert any("no host was seen to have NVIDIA cards" in question for question in made.open)
    assert "# gpus:" in content
    assert '"2331"' in content
    assert "# flavors:" in content


def test_without_the_apis_the_machines_tell(tmp_path: Path) -> None:
    """Wrong credentials: what runs on a host shows what it is for."""
    nothing = CloudFacts(questions=("the APIs were not seen: 401",))
    made = draft(seen(nothing, controller(), gpu_host(1), gpu_host(2)))

    file = tmp_path / "found.yaml"
    file.write_text(text(made), encoding="utf-8")
    with pytest.raises(CloudFileError) as told:
        load(file)

    assert "image: is needed" in str(told.value)
    assert "hosts" not in str(told.value)
    assert {question for _, question in open_questions(file)} >= {"the APIs were not seen: 401"}
    assert [(host.is_compute, host.is_controller) for host in found_hosts(nothing, (controller(), gpu_host(1)))] == [
        (False, True),
        (True, False),
    ]


def test_a_login_that_is_no_administrator_is_asked_about() -> None:
    """A run makes project, user and flavors."""
    made = draft(seen(cloud(1, own_roles=("reader",)), controller(), gpu_host(1)))

    assert any("the roles reader and not admin" in question for question in made.open)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"external_networks": ()}, "no external network was seen"),
        ({"external_networks": ("a", "b", "c")}, "or b, c?"),
        ({"images": ()}, "no image was seen"),
        ({"roles": ("owner", "viewer")}, "no role member"),
        ({"hypervisors": (), "services": ()}, "Nova has no compute at all"),
        ({"api_services": frozenset({"compute"})}, "no Heat"),
        ({"images": (ImageSummary("golden", "golden", "", "", ""),)}, "who logs in to it?"),
    ],
)
def test_what_is_missing_or_not_clear_is_a_question(changes: dict[str, object], words: str) -> None:
    """One line each."""
    made = draft(seen(cloud(1, **changes), controller(), gpu_host(1)))

    assert [question for question in made.open if words in question], made.open


def test_an_image_for_cards_goes_before_others() -> None:
    """By its name; the others are named in a question."""
    images = [ImageSummary(name, name, "", "", "") for name in ("cirros-0.6", "debian-12", "windows", "rocky-9-cuda")]
    made = draft(seen(cloud(1, images=tuple(images)), controller(), gpu_host(1)))

    assert made.content["image"]["name"] == "rocky-9-cuda"
    assert any("or debian-12, windows, cirros-0.6?" in question for question in made.open)


def test_cards_that_are_kept_back_are_asked_about() -> None:
    """device_spec gives four of eight away: the file declares four."""
    made = draft(seen(cloud(1), controller(), gpu_host(1, given=(H100,) * 4)))

    assert made.content["hosts"][1]["gpus"] == [{"model": "H100-PCIE-80GB", "count": 4}]
    assert any("has 8 cards, of which device_spec gives 4 away" in question for question in made.open)


def test_an_alias_by_resource_class_stands_for_its_cards() -> None:
    """As newer clouds write it."""
    card = Card("2331", "type-PF", resource_class="CUSTOM_H100")
    alias = {"name": "fast", "resource_class": "H100"}
    host = gpu_host(1, present=(card,) * 8, given=(card,) * 8)
    made = draft(seen(cloud(1), controller(aliases={"nova-api": (alias, {"name": "nic", "product_id": "1572"})}), host))

    assert made.content["aliases"] == [{"name": "fast", "gpu": "H100-PCIE-80GB"}]


def test_two_kinds_of_cards_and_one_that_nobody_knows(tmp_path: Path) -> None:
    """Each gets its model and its instances; of an unknown one the file asks."""
    other = gpu_host(2, cards=4, present=(Card("ffff", "type-PCI"),) * 4, given=(Card("ffff", "type-PCI"),) * 4)
    aliases = ({"name": "h100", "product_id": "2331"}, {"name": "new", "product_id": "ffff"})
    made = draft(seen(cloud(2), controller(aliases={"nova-api": aliases}), gpu_host(1), other))

    assert [gpu["product_id"] for gpu in made.content["gpus"]] == ["2331", "ffff"]
    assert any("10de:ffff" in question for question in made.open)


def test_a_card_that_only_the_list_of_ids_knows(tmp_path: Path) -> None:
    """Its name and architecture are in the file, so that it can be judged."""
    unknown = next(
        key
        for key, product in nvidia_products().items()
        if product.architecture == "ampere" and not any(key in model.product_ids for model in gpu_models().values())
    )
    cards = (Card(unknown, "type-PF"),) * 2
    aliases = ({"name": "new", "product_id": unknown},)
    host = gpu_host(1, present=cards, given=cards)

    made = draft(seen(cloud(1, flavors=()), controller(aliases={"nova-api": aliases}), host))

    assert _loaded(tmp_path, made).gpus[0].facts is not None
    assert made.content["gpus"][0]["facts"]["architecture"] == "ampere"
    assert made.content["cuda"]["version"] == "12.4"


def test_two_kinds_of_cards_in_one_host_and_one_without_an_alias(tmp_path: Path) -> None:
    """Instances for each kind; a kind that no flavor can ask for is a question."""
    mixed = (*(H100,) * 4, *(Card("20b5", "type-PF"),) * 4, Card("1db6", "type-PCI"))
    aliases = ({"name": "h100", "product_id": "2331"}, {"name": "a100", "product_id": "20b5"})
    facts = cloud(1, flavors=(), holders=(Holder("theirs", "gpu1", 1),))
    made = draft(seen(facts, controller(aliases={"nova-api": aliases}), gpu_host(1, present=mixed, given=mixed)))

    found = _loaded(tmp_path, made)

    asked = [found.flavor(guest.flavor).aliases for guest in found.guests]
    assert sum(sum(each.values()) for each in asked) == 4 + 3 - 1
    assert {name for each in asked for name in each} == {"h100", "a100"}
    assert any("no alias for V100" in question for question in made.open)


def test_computes_without_cards_are_left_out_and_named() -> None:
    """Two hundred of them would hide the rest."""
    facts = cloud(40)
    hosts = [gpu_host(number, cards=8 if number == 1 else 0) for number in range(1, 41)]
    made = draft(seen(facts, controller(), *hosts))

    assert [host["name"] for host in made.content["hosts"]] == ["control1", "gpu1"]
    assert "left out: gpu2, gpu3" in made.notes["hosts"][0]
    assert "and 27 more" in made.notes["hosts"][0]


def test_the_tenants_range_overlaps_with_none() -> None:
    """Also not with a large one."""
    assert free_range(()) == "192.168.177.0/24"
    assert free_range(("192.168.177.0/25",)) == "192.168.178.0/24"
    assert free_range(("192.168.160.0/19", "2001:db8::/64", "nonsense")) == "192.168.192.0/24"


def test_a_prefix_that_is_in_use_is_not_taken_again() -> None:
    """Else the clean-up of one file would find the other's resources."""
    images = (ImageSummary("gpuacc-rocky-9", "gpuacc-rocky-9", "rocky", "9", ""),)

    assert draft(seen(cloud(1, images=images), controller(), gpu_host(1))).content["prefix"] == "gpuacc2"


def test_hosts_that_show_two_deployers_are_asked_about() -> None:
    """Neither is taken."""
    other = replace(KOLLA, paths=frozenset({"/var/lib/openstack/nova"}))
    made = draft(seen(cloud(2), controller(), gpu_host(1), gpu_host(2, signs=other)))

    assert "deployer" not in made.content
    assert any("no deployer, or more than one" in question for question in made.open)


def test_a_controller_that_is_a_compute_too_is_one_host() -> None:
    """All in one: it stands in the file once."""
    facts = cloud(
        1, hypervisors=(hypervisor(1),), services=(service("nova-compute", "gpu1"), service("nova-scheduler", "gpu1"))
    )
    (host,) = found_hosts(facts, (gpu_host(1, runs=frozenset({"nova-compute", "nova-api"})),))

    assert (host.is_compute, host.is_controller) == (True, True)


def test_a_host_of_both_roles_is_read_as_both(tmp_path: Path) -> None:
    """Its role says both."""
    facts = cloud(1, services=(service("nova-compute", "gpu1"), service("nova-scheduler", "gpu1")))
    found = _loaded(tmp_path, draft(seen(facts, gpu_host(1, runs=frozenset({"nova-compute", "nova-api"})))))

    assert [host.name for host in found.computes] == [host.name for host in found.controllers] == ["gpu1"]


def test_a_machine_that_is_named_twice_is_one_host() -> None:
    """An inventory may have it under a second name, for its other network."""
    second = replace(gpu_host(1), machine=Machine("gpu1-storage", "198.51.100.21"))

    assert not draft(seen(cloud(1), controller(), gpu_host(1), second)).open


def test_an_access_that_cannot_be_is_told_and_not_raised() -> None:
    """Ports and names come from files that others wrote."""
    facts = read(Machine("gpu1", "192.0.2.21", Access("root", 70000)))

    assert "port '70000'" in facts.failure
    assert "70000" in " ".join(draft(seen(cloud(1), controller(), facts)).open)


def test_questions_have_no_secrets() -> None:
    """An error may quote an address with a password in it."""
    made = Draft()
    made.ask("", "not seen: http://admin:topsecret@192.0.2.1:5000/v3 does not answer")

    assert "topsecret" not in " ".join(made.open)


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    """Also one that came while we looked; nothing half is ever there."""
    from access.errors import InputError

    file = tmp_path / "deep" / "mine.yaml"
    write(file, "kind: existing\n", force=False)
    with pytest.raises(InputError, match="is there already"):
        write(file, "kind: lab\n", force=False)
    assert file.read_text() == "kind: existing\n"

    write(file, "kind: lab\n", force=True)

    assert file.read_text() == "kind: lab\n"
    assert [each.name for each in file.parent.iterdir()] == ["mine.yaml"]


def test_long_questions_are_read_whole(tmp_path: Path) -> None:
    """A question of several lines is one question for `check`."""
    made = Draft(content={"kind": "existing"})
    made.ask("", "first " + "word " * 60 + "last?")
    made.ask("", "second?")
    file = tmp_path / "found.yaml"
    file.write_text(text(made), encoding="utf-8")

    questions = [" ".join(words.split()) for _, words in open_questions(file)]

    assert questions == made.open == ["first " + "word " * 60 + "last?", "second?"]
    assert max(len(line) for line in text(made).splitlines()) <= 120

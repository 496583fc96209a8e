"""One line of a cloud file for many hosts: ranges, defaults, and where their mistakes are told."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from access.errors import CloudFileError
from cloud_file.loading import CLOUDS_DIRECTORY, load
from cloud_file.ranges import expanded, ranged

SHORT = CLOUDS_DIRECTORY / "examples" / "twelve-by-eight.yaml"


@pytest.mark.parametrize(
    ("text", "first", "last", "count"),
    [
        ("gpu[01:12]", "gpu01", "gpu12", 12),
        ("gpu[1:12]", "gpu1", "gpu12", 12),
        ("gpu[8:11].example.com", "gpu8.example.com", "gpu11.example.com", 4),
        ("node-[a:f]", "node-a", "node-f", 6),
        ("gpu[0:10:5]", "gpu0", "gpu10", 3),
        ("r[1:2]n[01:03]", "r1n01", "r2n03", 6),
        ("[1:3]x", "1x", "3x", 3),
        ("plain", "plain", "plain", 1),
    ],
)
def test_a_range_is_read_as_ansible_reads_it(text: str, first: str, last: str, count: int) -> None:
    """Both ends belong to it; zeros in front stay; several ranges give every combination."""
    found = ranged(text)

    assert (found[0], found[-1], len(found)) == (first, last, count)


@pytest.mark.parametrize("text", ["gpu[3:1]", "gpu[a:3]", "gpu[a:F]", "gpu[1:3:0]", "gpu[01:100]", "gpu[1:99999]"])
def test_a_range_that_makes_no_sense_is_refused(text: str) -> None:
    """Nobody means an empty, a mixed or an endless one."""
    with pytest.raises(ValueError, match=r"ends before|kind of character|step of 0|as many digits|more than"):
        ranged(text)


@given(st.integers(0, 500), st.integers(0, 40))
def test_a_range_has_every_number_from_end_to_end(start: int, more: int) -> None:
    """Counted out one by one."""
    assert ranged(f"n[{start}:{start + more}]") == [f"n{number}" for number in range(start, start + more + 1)]


@pytest.mark.parametrize(
    ("address", "first", "last"),
    [
        ("192.0.2.[21:32]", "192.0.2.21", "192.0.2.32"),
        ("192.0.2.250-192.0.3.5", "192.0.2.250", "192.0.3.5"),
        ("2001:db8::21-2001:db8::2c", "2001:db8::21", "2001:db8::2c"),
        ("gpu[01:12].rack-7.example.com", "gpu01.rack-7.example.com", "gpu12.rack-7.example.com"),
    ],
)
def test_addresses_count_with_the_names(address: str, first: str, last: str) -> None:
    """As a range, from one address to another, or by names of DNS."""
    found = expanded({"hosts": [{"name": "gpu[01:12]", "address": address}]})

    hosts = found.content["hosts"]
    assert not found.mistakes
    assert [hosts[0]["address"], hosts[-1]["address"]] == [first, last]
    assert [host["name"] for host in hosts] == [f"gpu{number:02d}" for number in range(1, 13)]


def test_a_name_with_hyphens_is_no_range_of_addresses() -> None:
    """`gpu-1.example.com` is a name."""
    entry = {"name": "gpu-1", "address": "gpu-1.rack-2.example.com"}

    assert expanded({"hosts": [entry]}).content["hosts"] == [entry]


def test_defaults_hold_unless_an_entry_says_otherwise() -> None:
    """Also with an empty list, which is a thing to say."""
    raw = {
        "defaults": {"hosts": {"firmware": "uefi", "gpus": [{"model": "A", "count": 8}]}},
        "hosts": [{"name": "gpu1"}, {"name": "control1", "gpus": [], "firmware": "bios"}],
    }

    gpu, control = expanded(raw).content["hosts"]

    assert gpu == {"name": "gpu1", "firmware": "uefi", "gpus": [{"model": "A", "count": 8}]}
    assert control == {"name": "control1", "firmware": "bios", "gpus": []}


def test_twelve_hosts_of_eight_cards_are_the_same_written_out(tmp_path: Path) -> None:
    """At most 35 lines, and every one of the hosts and instances as if it stood there by itself."""
    content = yaml.safe_load(SHORT.read_text(encoding="utf-8"))
    card = content["hosts"][1]
    content["hosts"] = [
        *({"name": f"control{n}", "role": "Controller", "address": f"192.0.2.{10 + n}"} for n in (1, 2, 3)),
        *({**card, "name": f"gpu{n:02d}", "address": f"192.0.2.{20 + n}"} for n in range(1, 13)),
    ]
    content["guests"] = [{"name": f"all{n:02d}", "flavor": "gpu.all"} for n in range(1, 13)]
    written_out = tmp_path / SHORT.name
    written_out.write_text(yaml.safe_dump(content), encoding="utf-8")

    assert load(SHORT) == load(written_out)
    assert len(SHORT.read_text(encoding="utf-8").splitlines()) <= 35
    assert len(load(SHORT).hosts) == 15


def _mistakes(path: Path, old: str, new: str) -> str:
    text = SHORT.read_text(encoding="utf-8")
    assert old in text
    file = path / "changed.yaml"
    file.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(CloudFileError) as told:
        load(file)
    return str(told.value)


HOST_LINE = next(n for n, line in enumerate(SHORT.read_text().splitlines(), 1) if "gpu[01:12]" in line)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("192.0.2.[21:32]", "192.0.2.[21:30]", "hosts[1].address: stands for 10, and name for 12"),
        ('"192.0.2.[21:32]"', "192.0.2.21", "hosts[1].address: is one address for 12 hosts"),
        ("gpu[01:12]", "gpu[12:01]", "hosts[1].name: [12:01] ends before it starts"),
        ('"gpu[01:12]"', "gpu01", "hosts[1].address: is a range, and name is one"),
        ("uefi", "efi", "hosts[1].firmware: should be 'bios' or 'uefi', not 'efi'"),
    ],
)
def test_a_mistake_of_many_hosts_is_told_once_with_its_line(tmp_path: Path, old: str, new: str, words: str) -> None:
    """The reader gets the line and the index of what was written, not of what it stands for."""
    told = _mistakes(tmp_path, old, new)

    assert f"line {HOST_LINE}: {words}" in told
    assert told.count(words.split(":")[0]) == 1


def test_a_mistake_of_a_default_is_told_where_the_default_stands(tmp_path: Path) -> None:
    """Not in each of the twelve entries that take it."""
    told = _mistakes(tmp_path, "hosts:\n", "defaults:\n  hosts: {cpu_vendor: amdd, chassis: 4U}\nhosts:\n")
    told = told.replace(", cpu_vendor: amd", "")

    assert "defaults.hosts.chassis: no such key" in told
    assert told.count("chassis") == 1
    assert "defaults.hosts.cpu_vendor: should be 'intel', 'amd' or 'arm', not 'amdd'" in told


def test_ranges_that_meet_are_names_given_twice(tmp_path: Path) -> None:
    """Each of the names is told."""
    second = '  - {name: "gpu[12:13]", role: Compute, address: "192.0.2.[41:42]"}\n\ngpus:\n'
    told = _mistakes(tmp_path, "\ngpus:\n", second)

    assert "'gpu12' is given twice" in told
    assert "'gpu13'" not in told


def test_names_of_unknown_defaults_are_mistakes(tmp_path: Path) -> None:
    """`defaults` knows the lists that share keys."""
    assert "defaults.networks: no such key" in _mistakes(tmp_path, "hosts:\n", "defaults: {networks: {}}\nhosts:\n")


def test_many_lines_of_ranges_do_not_fill_the_memory() -> None:
    """A small file could stand for millions of hosts."""
    found = expanded({"hosts": [{"name": f"a{line}-[1:3000]"} for line in range(3000)]})

    assert len(found.content["hosts"]) < 10_000
    assert len(found.mistakes) == 2998, "the first two fit"

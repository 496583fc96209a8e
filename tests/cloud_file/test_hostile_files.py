"""Whatever a cloud file holds, the answer is a cloud or a list of mistakes with their lines, at once."""

from __future__ import annotations

import copy
import itertools
import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from access.errors import CloudFileError, InputError
from cloud_file.loading import CLOUDS_DIRECTORY, load
from cloud_file.reading import SIZE_LIMIT_BYTES

FILES = [CLOUDS_DIRECTORY / "lab.yaml", *sorted((CLOUDS_DIRECTORY / "examples").glob("*.yaml"))]
CONTENTS = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in FILES]
LAB = FILES[0].read_text(encoding="utf-8")
TEXTS = [file.read_text(encoding="utf-8") for file in FILES]
LINE = re.compile(r"line [1-9]\d*: ")
LIMIT_S = 5.0
"""Of the processor, since others share it."""


def mistakes(folder: Path, content: str | bytes) -> str:
    """What is said of a file that cannot be used."""
    file = folder / "mine.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    started = time.process_time()
    with pytest.raises(CloudFileError) as raised:
        load(file)
    assert time.process_time() - started < LIMIT_S
    said = str(raised.value)
    assert LINE.search(said), said
    assert len(said) < 100_000
    return said


def changed(text: str, old: str, new: str) -> str:
    assert text.count(old) >= 1, old
    return text.replace(old, new, 1)


def bomb(levels: int, width: int = 9) -> str:
    names = [f"a{number}" for number in range(levels)]
    lines = ["a0: &a0 [x]"]
    for before, name in itertools.pairwise(names):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * width)}]")
    return "\n".join(lines)


HOST = "{name: controller-0, role: Controller, firmware: bios, cpu_vendor: intel}"
WRONG_SHAPES = {
    "a list for a host's name": ("name: controller-0", "name: [a, b]", "hosts[0].name"),
    "a mapping for a host's name": ("name: controller-0", "name: {a: b}", "hosts[0].name"),
    "a list for a model": ("model: P100-PCIE-16GB, count", "model: [P100], count", "hosts[1].gpus[0].model"),
    "a mapping for an alias' model": ("{name: a1, gpu: P100-PCIE-16GB}", "{name: a1, gpu: {a: 1}}", "aliases[0].gpu"),
    "a list for a flavor": ("flavor: m1.xmedium", "flavor: [m1.xmedium]", "guests[0].flavor"),
    "a number for a list of cards": ("gpus: [{model: P100-PCIE-16GB, count: 2}]", "gpus: 4", "hosts[1].gpus"),
    "a word for a list of cards": ("gpus: [{model: P100-PCIE-16GB, count: 2}]", "gpus: two", "hosts[1].gpus"),
    "words for cards": ("gpus: [{model: P100-PCIE-16GB, count: 2}]", "gpus: [P100]", "hosts[1].gpus[0]"),
    "a list for the kind": ("kind: lab", "kind: [lab]", "kind"),
    "a mapping for the release": ("release: ocata", "release: {ocata: 1}", "release"),
    "a list for the prefix": ("prefix: gpuacc", "prefix: []", "prefix"),
    "no host": (LAB[LAB.index("hosts:") : LAB.index("gpus:\n")], "hosts: []\n", "hosts"),
    "a truth for a count": ("count: 2", "count: true", "hosts[1].gpus[0].count"),
    "a truth for a time": ("timeout_min: 30", "timeout_min: true", "deploy.timeout_min"),
    "a truth for cores": ("vcpus: 8", "vcpus: yes", "flavors[0].vcpus"),
    "a count below zero": ("count: 2", "count: -2", "hosts[1].gpus[0].count"),
    "a count that no computer has": ("count: 2", "count: 4294967297", "hosts[1].gpus[0].count"),
    "5,000 digits": ("count: 2", f"count: {'9' * 5000}", "hosts[1].gpus[0].count"),
    "5,000 hexadecimal digits": ("vcpus: 8", f"vcpus: 0x{'f' * 5000}", "flavors[0].vcpus"),
    "digits with underscores": ("vcpus: 8", f"vcpus: 1{'_0' * 5000}", "flavors[0].vcpus"),
    "infinity for memory": ("memory_mb: 16384", "memory_mb: .inf", "flavors[0].memory_mb"),
    "1e999 for a quota": ("cores: 128", "cores: 1e999", "tenant.quota.cores"),
    "a date for a name": ("name: tenant,", "name: 2026-01-31,", "networks.tenant.name"),
    "a date that is none": ("name: tenant,", "name: 2026-13-45,", "networks.tenant.name"),
    "a tag": ("prefix: gpuacc", "prefix: !!python/name:os.system x", "prefix"),
    "a set": ("guests:", "extra: !!set {a, b}\nguests:", "extra"),
    "binary": ("prefix: gpuacc", "prefix: !!binary aGFsbG8=", "prefix"),
    "a key that is a list": ("prefix: gpuacc", "prefix: gpuacc\n? [a, b]\n: 3", "?"),
    "a key twice": ("prefix: gpuacc", "prefix: gpuacc\nprefix: other", "prefix"),
    "half a character": ("prefix: gpuacc", 'prefix: "\\ud800"', "prefix"),
    "a mapping for the hosts": (LAB[LAB.index("hosts:") : LAB.index("gpus:\n")], "hosts: {a: b}\n", "hosts"),
    "an escape": ("prefix: gpuacc", 'prefix: "a\\e[31m"', "prefix"),
    "a name of a megabyte's kind": ("prefix: gpuacc", f"prefix: {'a' * 50_000}", "prefix"),
    "a merge of a number": ("prefix: gpuacc", "prefix: gpuacc\n<<: 3", "<<"),
    "an image's own name among its properties": ("ssh_user: cloud-user", "properties: {name: x}", "image.properties"),
}


@pytest.mark.parametrize(("old", "new", "where"), WRONG_SHAPES.values(), ids=WRONG_SHAPES)
def test_a_value_of_a_wrong_shape_is_named_with_its_line(tmp_path: Path, old: str, new: str, where: str):
    text = changed(LAB, old, new)

    said = mistakes(tmp_path, text)

    line = next(number for number, each in enumerate(text.splitlines(), 1) if each not in LAB.splitlines())
    assert re.search(rf"line {line}: {re.escape(where)}", said), said


THRESHOLDS = {
    "nan": "{minimum: .nan, reason: x}",
    "infinity": "{minimum: .inf, reason: x}",
    "below zero": "{minimum: -1, reason: x}",
    "zero": "{minimum: 0, reason: x}",
    "a truth": "{minimum: true, reason: x}",
    "words": "{minimum: fast, reason: x}",
    "a list": "{minimum: [1], reason: x}",
    "a list of lists": "[[1]]",
    "a model that is a list": "{minimum: 1, reason: x, model: [a]}",
    "nothing": "",
}


@pytest.mark.parametrize("value", THRESHOLDS.values(), ids=THRESHOLDS)
def test_a_threshold_is_a_number_above_zero(tmp_path: Path, value: str):
    said = mistakes(tmp_path, f"{LAB}\nthresholds:\n  bandwidth.host_to_device: {value}\n")

    assert "thresholds.bandwidth.host_to_device" in said


WHOLE_FILES: dict[str, str | bytes] = {
    "nothing": "",
    "a list": "- a",
    "a word": "lab",
    "two documents": "kind: lab\n---\nkind: lab",
    "an alias of nothing": "a: *b",
    "an alias within itself": "a: &a {b: *a}",
    "a list within itself": "a: &a [*a]",
    "a merge within itself": "a: &a\n  <<: *a",
    "a bomb of 400 bytes": bomb(9),
    "a bomb of mappings": "\n".join(
        ["a0: &a0 {x: 1}"] + [f"a{n}: &a{n} {{p: *a{n - 1}, q: *a{n - 1}, r: *a{n - 1}}}" for n in range(1, 20)]
    ),
    "a bomb of merges": "\n".join(
        ["a0: &a0 {x: 1}"] + [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 9)]
    ),
    "nested lists": "a: " + "[" * 5000,
    "nested mappings": "\n".join(" " * depth + "a:" for depth in range(600)),
    "nested in one line": "- " * 100_000,
    "nested keys": "? " * 100_000,
    "many values": "a: [" + "1, " * 80_000 + "]",
    "many keys": "\n".join(f"k{number}: v" for number in range(20_001)),
    "a large file": "a: b\n" * (SIZE_LIMIT_BYTES // 5 + 1),
    "a NUL": b"kind: lab\na: \0",
    "Latin 1": "kind: lab\na: \xe9".encode("latin-1"),
    "UTF-16": LAB.encode("utf-16"),
    "a tab": "kind: lab\n\ta: b",
    "quotes without end": "kind: lab\na: '",
    "an escape of no character": 'kind: lab\na: "\\UFFFFFFFF"',
    "a directive": "%YAML 9.9\n---\nkind: lab",
}


@pytest.mark.parametrize("content", WHOLE_FILES.values(), ids=WHOLE_FILES)
def test_a_file_that_is_no_cloud_file_is_refused_at_once(tmp_path: Path, content: str | bytes):
    mistakes(tmp_path, content)


@pytest.mark.parametrize("name", ["a" * 300, "x/" * 3000 + "a.yaml", "/dev/zero", "/dev", "", ".", "/root/\x1b.yaml"])
def test_a_name_that_is_no_file_is_unknown(name: str):
    with pytest.raises(InputError, match="unknown cloud") as raised:
        load(name)

    assert "\x1b" not in str(raised.value).splitlines()[0]


def test_of_thousands_of_mistakes_the_first_are_shown(tmp_path: Path):
    said = mistakes(tmp_path, LAB + "".join(f"k{number}: v\n" for number in range(1000)))

    assert "1000 mistakes" in said
    assert "and 950 more" in said


def test_a_file_that_merges_and_repeats_itself_is_read(tmp_path: Path):
    text = changed(LAB, "  - {name: m1.xmedium, vcpus: 8", "  - &small {name: m1.xmedium, vcpus: 8")
    file = tmp_path / "mine.yaml"
    file.write_text(changed(text, "  - {name: m1.xall, vcpus: 28,", "  - {<<: *small, name: m1.xall, vcpus: 28,"))

    assert load(file).flavor("m1.xall").vcpus == 28


def test_a_thousand_hosts_are_no_bomb(tmp_path: Path):
    cards = "gpus: [{model: P100-PCIE-16GB, count: 8}]"
    host = "  - {{name: gpu-{n}, role: Compute, firmware: uefi, cpu_vendor: amd, {cards}}}"
    hosts = "\n".join(host.format(n=number, cards=cards) for number in range(1000))
    file = tmp_path / "mine.yaml"
    file.write_text(changed(LAB, "gpus:\n", f"{hosts}\n\ngpus:\n"))

    assert len(load(file).hosts) == 1003


# -- anything at any place -----------------------------------------------------------------------------

Place = tuple[Any, ...]
ANY_SCALAR = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**30, -1, 0, 2**31, 2**63]),
    st.floats(),
    st.dates(),
    st.text(max_size=20),
    st.sampled_from(["", " ", "a b", "-x", "$(id)", "~nobody-at-all/x", "../..", "é", "a\nb", "P100-PCIE-16GB", "a1"]),
)
ANY_VALUE = st.recursive(
    ANY_SCALAR,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=3),
    max_leaves=6,
)


def places(content: Any, here: Place = ()) -> list[Place]:
    """Every place in a file that a value can be put to, with one more in each list and mapping."""
    if isinstance(content, dict):
        return [here, (*here, "new")] + [place for key, each in content.items() for place in places(each, (*here, key))]
    if isinstance(content, list):
        found = [place for index, each in enumerate(content) for place in places(each, (*here, index))]
        return [here, (*here, len(content)), *found]
    return [here]


OPTIONAL = [
    ("thresholds", "bandwidth.host_to_device"),
    ("history", "slower_than_past"),
    ("deploy", "parameters"),
    ("deploy", "kernel_args"),
    ("image", "registration"),
    ("image", "repositories"),
    ("nova", "api_conf"),
    ("cuda", "samples"),
    ("runs_directory",),
    ("bare_metal",),
    ("simulated",),
    ("deployer",),
]


def put(content: Any, place: Place, value: Any) -> Any:
    """The content with a value in a place."""
    if not place:
        return value
    found = copy.deepcopy(content)
    node = found
    for step in place[:-1]:
        if isinstance(node, dict):
            node = node.setdefault(step, {})
        elif isinstance(node, list) and step < len(node):
            node = node[step]
        if not isinstance(node, dict | list):
            return found
    if isinstance(node, list) and place[-1] == len(node):
        node.append(value)
    else:
        node[place[-1]] = value
    return found


@st.composite
def damaged_contents(draw: st.DrawFn) -> Any:
    """A cloud file with one to three values replaced by anything."""
    content = draw(st.sampled_from(CONTENTS))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(places(content) + OPTIONAL if isinstance(content, dict) else [()]))
        content = put(content, place, draw(ANY_VALUE))
    return content


def accepted_or_refused(file: Path) -> None:
    """A cloud, or mistakes with lines; any other exception fails the test."""
    try:
        load(file)
    except CloudFileError as error:
        if not LINE.search(str(error)):
            raise AssertionError(f"no line: {error}") from error


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(content=damaged_contents())
def test_any_value_at_any_place_is_taken_or_refused(tmp_path_factory: pytest.TempPathFactory, content: Any):
    file = tmp_path_factory.mktemp("cloud") / "mine.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")

    accepted_or_refused(file)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    text=st.sampled_from(TEXTS),
    start=st.integers(0, 3000),
    length=st.integers(0, 40),
    new=st.text(st.sampled_from("{}[]&*!|>'\"%@`#:-?,\n\t <\0\x1b0aé"), max_size=12),
)
def test_any_damage_to_the_text_is_taken_or_refused(
    tmp_path_factory: pytest.TempPathFactory, text: str, start: int, length: int, new: str
):
    file = tmp_path_factory.mktemp("cloud") / "mine.yaml"
    file.write_text(text[:start] + new + text[start + length :], encoding="utf-8")

    accepted_or_refused(file)

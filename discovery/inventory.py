"""Machines of an Ansible inventory: INI, YAML, a folder of both, or what `ansible-inventory --list` prints.

Read is what tells how a machine is reached: its name, the variables of SSH, and its groups, from the file and the
folders group_vars and host_vars beside it. Nothing of the inventory is run. What needs more of Ansible than that (a
script, a plugin, a vault, an expression) is said, and `ansible-inventory -i INVENTORY --list` gives the rest.

https://docs.ansible.com/ansible/latest/inventory_guide/intro_inventory.html
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from access.endpoint import Bastion
from access.errors import InputError
from access.ssh_config import jumps
from cloud_file.ranges import RANGE, ranged
from discovery.machines import Access, Machine, Named, listed

SIZE_LIMIT_BYTES = 8 * 1024 * 1024
DEPTH_LIMIT = 30
PASSED_OVER = (".orig", ".bak", ".ini~", ".retry", ".pyc", ".cfg", ".swp", ".md", ".j2", "~")
BESIDE = ("group_vars", "host_vars")
ENDINGS = ("", ".yml", ".yaml", ".json")
SECTION = re.compile(r"\[(?P<name>[^\[\]:]+)(?::(?P<kind>vars|children|hosts))?\]\s*(?:[#;].*)?")
EXPRESSION = re.compile(r"\{\{\s*(\w+)\s*\}\}")
VAULT = "$ANSIBLE_VAULT"
HINT = "ansible-inventory -i INVENTORY --list > inventory.json, and --inventory inventory.json"
ADDRESS = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_.:%-]{0,254}")
OPTIONS = ("ansible_ssh_common_args", "ansible_ssh_extra_args", "ansible_ssh_args")
JUMP = re.compile(r"(?:ProxyJump[= ]|(?:^|\s)-J\s*)[\"']?([^\s\"']+)")
PROXY = re.compile(r"Proxy(Jump|Command)|(^|\s)-J\s", re.IGNORECASE)
Variables = dict[str, Any]


class _Vaulted:
    """A value that only the vault's password shows."""


class _Loader(yaml.SafeLoader):
    """Reads values with tags of Ansible: !unsafe is text, !vault is hidden."""


_Loader.add_multi_constructor("!", lambda loader, suffix, node: _Vaulted() if "vault" in suffix else str(node.value))


@dataclass
class _Group:
    """One group as the files tell it."""

    hosts: dict[str, None] = field(default_factory=dict)
    children: dict[str, None] = field(default_factory=dict)
    variables: Variables = field(default_factory=dict)


@dataclass
class _Inventory:
    """What all files of an inventory say together."""

    groups: dict[str, _Group] = field(default_factory=dict)
    hosts: dict[str, Variables] = field(default_factory=dict)
    questions: list[str] = field(default_factory=list)
    of_hosts: dict[str, list[str]] = field(default_factory=dict)
    """Questions that concern single hosts, with their names."""

    def ask(self, question: str, name: str) -> None:
        """A question about one host; the same one about many is asked once."""
        self.of_hosts.setdefault(question, []).append(name[:80])

    def group(self, name: str) -> _Group:
        """The group of that name, made at its first use."""
        return self.groups.setdefault(name, _Group())

    def host(self, name: str, group: str, variables: Mapping[str, Any]) -> None:
        """Put a host into a group; what was said of it before stays where it is not said again."""
        self.group(group).hosts[name] = None
        self.hosts.setdefault(name, {}).update(variables)


def read(path: Path) -> Named:
    """The machines of an inventory.

    Raises:
        InputError: it cannot be read, is of no kind that is read here, or names no host.
    """
    files = list(_files(path))
    found = _Inventory()
    for file in files:
        _read_file(file, found)
    for folder in dict.fromkeys(file.parent for file in files):
        _read_variables(folder, found)
    machines = tuple(machine for name in found.hosts if (machine := _machine(name, found)) is not None)
    asked = [f"{listed(names)}: {question}" for question, names in found.of_hosts.items()]
    if not machines and not found.questions and not asked:
        raise InputError(f"{path} names no host", remedy=f"is it an Ansible inventory? Else: {HINT}")
    return Named(machines, tuple(dict.fromkeys([*found.questions, *asked])))


def _files(path: Path) -> Iterator[Path]:
    if not path.exists():
        raise InputError(f"there is no inventory {path}", remedy="name a file or folder as `ansible -i` takes it")
    if path.is_file():
        yield path
        return
    inside = sorted(each for each in path.iterdir() if each.is_file() and not each.name.startswith("."))
    used = [each for each in inside if not each.name.endswith(PASSED_OVER)]
    if not used:
        raise InputError(f"the folder {path} has no inventory in it")
    yield from used


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            data = stream.read(SIZE_LIMIT_BYTES + 1)
        if len(data) > SIZE_LIMIT_BYTES:
            raise InputError(f"{path} is larger than {SIZE_LIMIT_BYTES // 2**20} MiB: no inventory is")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text: {error.reason}") from error


def _read_file(path: Path, found: _Inventory) -> None:
    text = _text(path)
    if text.startswith("#!") and os.access(path, os.X_OK):
        raise InputError(f"{path} is a program, which is not run here", remedy=HINT)
    if text.startswith(VAULT):
        found.questions.append(f"{path.name} is encrypted by Ansible's vault: {HINT}")
        return
    data = _yaml(path, text)
    if data is None:
        _read_ini(path, text, found)
    elif isinstance(data.get("_meta"), Mapping):
        _read_listing(data, found)
    elif "plugin" in data:
        raise InputError(f"{path} asks the plugin {data['plugin']}, which is not run here", remedy=HINT)
    else:
        for name, content in data.items():
            _read_group(path, str(name), content, found, 0)


def _yaml(path: Path, text: str) -> dict[str, Any] | None:
    """The content of a YAML or JSON file; None for an INI file."""
    is_yaml = path.suffix in (".yml", ".yaml", ".json")
    try:
        data = yaml.load(text, _Loader)  # noqa: S506  a SafeLoader
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        if not is_yaml and not text.lstrip().startswith(("---", "{")):
            return None
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}:" if mark else ""
        raise InputError(f"{path}:{where} not YAML: {getattr(error, 'problem', None) or error}") from error
    if isinstance(data, dict):
        return data
    if is_yaml and data is not None:
        raise InputError(f"{path}: an inventory is a mapping of groups")
    return None if not is_yaml else {}


def _read_group(path: Path, name: str, content: Any, found: _Inventory, depth: int) -> None:
    if content is None:
        found.group(name)
        return
    if not isinstance(content, Mapping) or depth > DEPTH_LIMIT:
        raise InputError(f"{path}: the group {name[:80]} is no mapping with hosts, children and vars", remedy=HINT)
    group = found.group(name)
    unknown = set(content) - {"hosts", "children", "vars"}
    if unknown:
        raise InputError(
            f"{path}: the group {name[:80]} has {', '.join(sorted(map(str, unknown)))[:200]}",
            remedy="a group of a YAML inventory has hosts, children and vars",
        )
    for host, variables in _mapping(content.get("hosts")).items():
        for each in _names(path, str(host)):
            found.host(each, name, _mapping(variables))
    group.variables.update(_mapping(content.get("vars")))
    for child, below in _mapping(content.get("children")).items():
        group.children[str(child)] = None
        _read_group(path, str(child), below, found, depth + 1)


def _mapping(value: Any) -> Mapping[str, Any]:
    if isinstance(value, list):
        return dict.fromkeys(map(str, value))
    return value if isinstance(value, Mapping) else {}


def _read_listing(data: Mapping[str, Any], found: _Inventory) -> None:
    """What `ansible-inventory --list` prints, and OpenStack-Ansible keeps in openstack_inventory.json."""
    variables = _mapping(_mapping(data["_meta"]).get("hostvars"))
    for name, content in data.items():
        if name == "_meta":
            continue
        group = found.group(name)
        members = content if isinstance(content, list) else _mapping(content).get("hosts") or ()
        for host in members:
            found.host(str(host), name, _mapping(variables.get(host)))
        group.variables.update(_mapping(_mapping(content).get("vars")))
        for child in _mapping(content).get("children") or ():
            group.children[str(child)] = None
    for host, own in variables.items():
        found.host(str(host), "all", _mapping(own))


def _read_ini(path: Path, text: str, found: _Inventory) -> None:
    group, kind = "ungrouped", "hosts"
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith(("#", ";")):
            continue
        section = SECTION.fullmatch(line)
        if section is not None:
            group, kind = section["name"].strip(), section["kind"] or "hosts"
            found.group(group)
        elif line.startswith("["):
            raise InputError(f"{path}: line {number}: no section: {line[:80]!r}")
        else:
            _read_ini_line(path, number, line, group, kind, found)


def _read_ini_line(path: Path, number: int, line: str, group: str, kind: str, found: _Inventory) -> None:
    if kind == "vars":
        name, equals, value = line.partition("=")
        if not equals:
            raise InputError(f"{path}: line {number}: no NAME=VALUE: {line[:80]!r}")
        found.group(group).variables[name.strip()] = _value(value.strip())
        return
    try:
        words = shlex.split(line, comments=True)
    except ValueError as error:
        raise InputError(f"{path}: line {number}: {error}: {line[:80]!r}", remedy=HINT) from error
    if not words:
        return
    if kind == "children":
        found.group(group).children[words[0]] = None
        return
    pairs = [word.partition("=") for word in words[1:]]
    bad = next((name for name, equals, _ in pairs if not equals), None)
    if bad is not None:
        raise InputError(f"{path}: line {number}: neither a host nor NAME=VALUE: {bad[:80]!r}", remedy=HINT)
    name, port = _name_and_port(words[0])
    variables = {key: _value(value) for key, _, value in pairs}
    for each in _names(path, name, number):
        found.host(each, group, {**({"ansible_port": port} if port else {}), **variables})


def _name_and_port(word: str) -> tuple[str, int | None]:
    """`gpu1:2222`, but not an address of IPv6 nor a range."""
    match = re.fullmatch(r"(\[[0-9A-Fa-f:]+\]|[^:]*(?:\[[^\]]*\][^:]*)*):([0-9]{1,5})", word)
    if match is None or not match[1] or match[1].count("[") != match[1].count("]"):
        return word, None
    return match[1], int(match[2])


def _value(text: str) -> Any:
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1] if quoted else text


def _names(path: Path, name: str, number: int | None = None) -> list[str]:
    try:
        return ranged(name) if RANGE.search(name) else [name]
    except ValueError as error:
        line = f" line {number}:" if number else ""
        raise InputError(f"{path}:{line} {name[:80]!r}: {error}") from error


def _read_variables(folder: Path, found: _Inventory) -> None:
    """group_vars and host_vars beside the inventory; they go before what the inventory itself says of a group."""
    for kind in BESIDE:
        known = [*found.groups, "all"] if kind == "group_vars" else list(found.hosts)
        for name in dict.fromkeys(known):
            for file in _variable_files(folder / kind, name):
                own = _variables_of(file, found)
                if kind == "host_vars":
                    found.hosts[name].update(own)
                else:
                    found.group(name).variables.update(own)


def _variable_files(folder: Path, name: str) -> Iterator[Path]:
    if "/" in name or name.startswith("."):
        return
    for ending in ENDINGS:
        file = folder / f"{name}{ending}"
        if file.is_file():
            yield file
    if (folder / name).is_dir():
        yield from sorted(each for each in (folder / name).rglob("*") if each.is_file() and each.suffix in ENDINGS)


def _variables_of(file: Path, found: _Inventory) -> Mapping[str, Any]:
    text = _text(file)
    if text.startswith(VAULT):
        return {}  # passwords, as a rule; how a machine is reached is missed below, if it stands here
    try:
        return _mapping(yaml.load(text, _Loader))  # noqa: S506  a SafeLoader
    except (yaml.YAMLError, RecursionError, ValueError):
        found.questions.append(f"{file} is not YAML that can be read here: does it say how hosts are reached? {HINT}")
        return {}


def _machine(name: str, found: _Inventory) -> Machine | None:
    """One host with what holds for it; None for what is no machine to log in to."""
    groups = _groups_of(name, found)
    variables: Variables = {}
    for group in reversed(groups):
        variables.update(found.groups[group].variables)
    variables.update(found.hosts[name])
    connection = variables.get("ansible_connection")
    if connection in ("docker", "podman", "lxc", "kubectl"):
        return None
    if connection == "local" and not any(variables.get(each) for each in SPELLINGS["host"]):
        if len(found.hosts) == 1:
            found.ask("this machine itself: by which address is it reached from elsewhere?", name)
        return None
    if variables.get("is_metal") is False:
        return None  # a container of OpenStack-Ansible
    said = {key: _said(variables, key, name, found) for key in ("host", "port", "user", "key")}
    address = str(said["host"] or name)
    if not ADDRESS.fullmatch(address):
        found.ask(f"no address that can be used: {address[:80]!r}", name)
        return None
    port = str(said["port"] or "")
    key = str(Path(str(said["key"])).expanduser()) if said["key"] else None
    access = Access(str(said["user"]) if said["user"] else None, int(port) if port.isdigit() else None, key)
    options = " ".join(str(variables.get(each, "")) for each in OPTIONS)
    jump = JUMP.search(options)
    if jump is not None and (through := _through(jump[1])):
        access = replace(access, bastions=through)
    elif PROXY.search(options):
        found.ask("reached through another host by Ansible's arguments of SSH: is that in your ssh_config, too?", name)
    return Machine(name, address, access, frozenset(groups))


def _through(text: str) -> tuple[Bastion, ...]:
    """The hosts of a ProxyJump; none where it holds an expression or what is no name."""
    try:
        return jumps(text)
    except ValidationError:
        return ()


SPELLINGS = {
    "host": ("ansible_host", "ansible_ssh_host"),
    "port": ("ansible_port", "ansible_ssh_port"),
    "user": ("ansible_user", "ansible_ssh_user"),
    "key": ("ansible_ssh_private_key_file", "ansible_private_key_file"),
}


def _said(variables: Variables, key: str, name: str, found: _Inventory) -> Any:
    value = next((variables[each] for each in SPELLINGS[key] if variables.get(each) is not None), None)
    resolved = _resolved(value, {**variables, "inventory_hostname": name}, DEPTH_LIMIT)
    if value is not None and resolved is None:
        found.ask(f"{SPELLINGS[key][0]} is an expression or encrypted: {HINT}", name)
    return resolved


def _resolved(value: Any, variables: Variables, depth: int) -> Any:
    """A value with the variables that it names; None if it needs more than that."""
    if isinstance(value, _Vaulted) or depth == 0:
        return None
    if not isinstance(value, str) or "{{" not in value:
        return value if isinstance(value, str | int) else None
    parts = EXPRESSION.split(value)
    texts = [_resolved(variables.get(name), variables, depth - 1) for name in parts[1::2]]
    if any(text is None for text in texts) or any("{{" in text or "}}" in text for text in parts[0::2]):
        return None
    woven = [parts[0]] + [f"{text}{after}" for text, after in zip(texts, parts[2::2], strict=True)]
    return "".join(woven)


def _groups_of(name: str, found: _Inventory) -> list[str]:
    """Groups of a host, those nearest to it first; of equally near ones the last by name counts most."""
    distance = {group: 0 for group, content in found.groups.items() if name in content.hosts}
    queue = list(distance)
    while queue:
        child = queue.pop(0)
        for group, content in found.groups.items():
            if child in content.children and group not in distance and distance[child] < DEPTH_LIMIT:
                distance[group] = distance[child] + 1
                queue.append(group)
    distance.pop("all", None)
    ordered = sorted(distance, reverse=True)
    ordered.sort(key=lambda group: distance[group])
    return [*ordered, *(["all"] if "all" in found.groups else [])]

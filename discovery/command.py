"""`python -m cloud_file discover`: from a name in clouds.yaml and a way in by SSH to a cloud file."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from access.errors import AcceptanceError, InputError, MeasurementError, ProvisioningError
from access.openstack_api import NAMED, connect
from access.progress import Progress
from cloud_file.cloud import Cloud
from cloud_file.loading import load
from cloud_file.work_folder import work_folder
from discovery import cloud_facts, cluster, host_facts, inventory, matching, writing
from discovery.cloud_facts import CloudFacts
from discovery.draft import Draft, Seen, draft
from discovery.host_facts import HostFacts
from discovery.machines import Access, Machine, listed, with_access

GOOD, USAGE, OPEN = 0, 64, 69
"""OPEN: a file was written that needs answers before a run can use it."""


def main(arguments: Sequence[str]) -> int:
    """Look at a cloud and write its file; returns the exit code."""
    options = _parser().parse_args(arguments)
    progress = Progress()
    try:
        target = _target(options)
        os_cloud = cloud_facts.chosen_cloud(options.os_cloud)
        named = _named_machines(options)
        made = _look(os_cloud, named, options, progress)
        for change in options.set:
            _set(made, change)
        content = writing.text(made)
        problem = _problem(content, target)
        writing.write(target, content, force=options.force)
    except (InputError, MeasurementError) as error:
        sys.stderr.write(f"error: {error}\n")
        return USAGE
    return _tell(target, made, problem)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cloud_file discover",
        description="Look at a cloud, change nothing, and write its cloud file. What was not seen is a question in it.",
    )
    parser.add_argument("name", help="name of the cloud file: clouds/NAME.yaml")
    parser.add_argument(
        "--os-cloud", metavar="NAME", help="administrator's entry of clouds.yaml (default: its only one)"
    )
    parser.add_argument("--inventory", type=Path, metavar="PATH", help="Ansible inventory: INI, YAML, a folder, --list")
    parser.add_argument("--kubeconfig", type=Path, metavar="FILE", help="of RHOSO's or openstack-helm's cluster")
    parser.add_argument("--host", action="append", default=[], metavar="NAME=ADDRESS", help="one more host; repeatable")
    parser.add_argument("--ssh-user", metavar="USER", help="who logs in to hosts (default: as ssh_config says, or you)")
    parser.add_argument("--ssh-port", type=int, metavar="PORT")
    parser.add_argument("--ssh-key", metavar="FILE", help="private key (default: agent and default keys)")
    parser.add_argument("--known-hosts", metavar="FILE", help="the hosts' keys (default: ~/.ssh/known_hosts)")
    parser.add_argument("--to", type=Path, metavar="FILE", help="where to write (default: clouds/NAME.yaml)")
    parser.add_argument("--force", action="store_true", help="write over a file that is there")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="an answer, e.g. image.name=rocky-9-gpu or image.ssh_port=2222; repeatable",
    )
    return parser


def _target(options: argparse.Namespace) -> Path:
    if not cloud_facts.NAME.fullmatch(options.name):
        raise InputError(f"{options.name[:80]!r} is no name of a cloud file: letters, digits, dots, hyphens")
    target = options.to or work_folder() / "clouds" / f"{options.name}.yaml"
    if target.exists() and not options.force:  # before minutes of looking; `write` has the last word
        raise InputError(f"{target} is there already and stays as it is", remedy="name another one by --to, or --force")
    return Path(target)


def _named_machines(options: argparse.Namespace) -> tuple[tuple[Machine, ...], tuple[str, ...]]:
    """Machines that the user names, each with an access, and questions about those that cannot be used."""
    sources = []
    if options.inventory:
        sources.append(inventory.read(options.inventory))
    if options.kubeconfig:
        sources.append(cluster.read(options.kubeconfig))
    machines = [machine for source in sources for machine in source.machines]
    for word in options.host:
        name, equals, address = word.partition("=")
        if not inventory.ADDRESS.fullmatch(address if equals else name):
            raise InputError(f"--host {word[:80]!r}: NAME=ADDRESS is asked for")
        machines.append(Machine(name, address or name))
    unique = {machine.name: machine for machine in machines}
    return with_access(tuple(unique.values()), _given_access(options)), tuple(q for s in sources for q in s.questions)


def _given_access(options: argparse.Namespace) -> Access:
    return Access(options.ssh_user, options.ssh_port, options.ssh_key, options.known_hosts)


def _look(
    os_cloud: str, named: tuple[tuple[Machine, ...], tuple[str, ...]], options: argparse.Namespace, progress: Progress
) -> Draft:
    machines, questions = named
    connection, refused = _connection(os_cloud)
    progress.say(f"asking the APIs of {os_cloud}")
    cloud = cloud_facts.read(connection) if connection is not None else CloudFacts(questions=(refused,))
    looked = _looked(machines, progress)
    fallback = _given_access(options)
    more = (*matching.unknown_computes(cloud, looked), *matching.unknown_controllers(cloud, looked))
    usual = machines[0].access if machines else fallback
    looked += _looked(with_access(more, usual), progress)
    hosts = matching.found_hosts(cloud, looked)
    unseen = [host.name for host in hosts if host.is_compute and (host.facts is None or host.facts.failure)]
    cards = cloud_facts.cards_in_placement(connection, unseen) if connection else {}
    told = _unknown_machines(cloud, hosts, {machine.name for machine in machines})
    return draft(Seen(os_cloud, cloud, hosts, cards, (*questions, *told)))


def _connection(os_cloud: str) -> tuple[Any, str]:
    """A connection; None and a question if the cloud does not let us in."""
    try:
        return connect({NAMED: os_cloud}), ""
    except (MeasurementError, ProvisioningError) as error:
        said = str(error).splitlines()
        return None, f"the APIs were not seen: {said[0][:300]}: are address, user and password in clouds.yaml right?"


def _looked(machines: Sequence[Machine], progress: Progress) -> tuple[HostFacts, ...]:
    if not machines:
        return ()
    progress.say(f"looking at {len(machines)} hosts")
    looked = host_facts.read_all(machines)
    failed = sum(1 for facts in looked if facts.failure)
    if failed:
        progress.say(f"{failed} of {len(machines)} hosts could not be looked at")
    return looked


def _unknown_machines(cloud: CloudFacts, hosts: Sequence[matching.Found], named: set[str]) -> tuple[str, ...]:
    """Machines that somebody named and that Nova does not know, in one question."""
    if cloud.hypervisors is None:
        return ()
    strange = [
        host.facts.machine.name
        for host in hosts
        if host.facts and host.facts.machine.name in named and not host.is_compute and not host.is_controller
    ]
    if not strange:
        return ()
    return (f"{listed(strange)}: named, and neither compute nor controller of this Nova: left out; is it right?",)


def _set(made: Draft, change: str) -> None:
    """Carry out one `--set KEY=VALUE`."""
    key, equals, text = change.partition("=")
    words = key.split(".")
    if not equals or words[0] not in Cloud.model_fields:
        raise InputError(
            f"--set {change[:80]!r}: KEY=VALUE with a key of cloud files is asked for, as image.name=rocky-9"
        )
    try:
        value = json.loads(text)
        value = text if isinstance(value, float) else value  # `12.4` is a version
    except ValueError:
        value = text
    place: Any = made.content
    for word in words[:-1]:
        place = place.setdefault(word, {})
        if not isinstance(place, dict):
            raise InputError(f"--set {change[:80]!r}: {word} is a list, which is given as a whole in JSON")
    place[words[-1]] = value


def _problem(content: str, target: Path) -> str:
    """Why a run cannot use the file as it is; "" if it can."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / (target.name if target.suffix == ".yaml" else "cloud.yaml")
        file.write_text(content, encoding="utf-8")
        try:
            load(file)
        except AcceptanceError as error:
            return str(error).replace(str(file), str(target)).split("\n  what to do:")[0]
    return ""


def _tell(target: Path, made: Draft, problem: str) -> int:
    hosts, guests = made.content.get("hosts", []), made.content.get("guests", [])
    say = [f"{target}: written, {len(hosts)} lines of hosts, {len(guests)} of instances"]
    say += [f"  ? {question}" for question in made.open]
    name = target.stem if target.parent == work_folder() / "clouds" else target
    say.append(
        f"a run can use it once these are answered:\n{problem}" if problem else f"next: pytest suites/ --cloud {name}"
    )
    sys.stdout.write("\n".join(say) + "\n")
    return OPEN if problem else GOOD

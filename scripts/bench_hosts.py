"""Measure how fast many hosts are asked, side by side in one run, on emulated hosts of a lab of its own.

    python scripts/bench_hosts.py [--hosts 10,40,100,300] [--commonly 40] [--json docs/scale.json]

Three ways, each with connections of its own to every host, one after another and the shortest of --times:

- bare: paramiko's handshake and `true`, all hosts side by side. Nothing that asks over SSH can be faster.
- ours: everything that the checks of `suites/hosts` need, gathered as an acceptance does.
- commonly: the same commands by testinfra's paramiko backend, one host after another with a connection for each host;
  at most --commonly hosts, since each costs a second.

Prints one line a figure. The exit code is 1 where ours takes more than one and a half times the bare handshakes, or is
not ten times as fast as commonly, with 40 hosts or more.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import FunctionType
from typing import Any

import paramiko
import testinfra

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "fixtures"), str(REPOSITORY / "tests" / "lab")]

import gathering_fixtures  # noqa: E402  # the paths above lead to them
from lab_machines import DECLARATION, Machines  # noqa: E402

import suites.hosts.test_gpus  # noqa: E402
import suites.hosts.test_iommu  # noqa: E402
import suites.hosts.test_vfio  # noqa: E402
from access import side_by_side  # noqa: E402
from cloud_file.cloud import Cloud  # noqa: E402
from cloud_file.sections.hosts import DeclaredHost  # noqa: E402
from cloud_file.sections.reaching import HostAccess  # noqa: E402
from lab import state as lab_state  # noqa: E402
from lab.hosts.hardware.declaration import host_machine  # noqa: E402
from lab.paths import LabPaths  # noqa: E402
from lab.state import SSH_PORT  # noqa: E402
from provisioning.environment import Environment  # noqa: E402
from provisioning.gathering import Plan, gather  # noqa: E402
from provisioning.hosts import Hosts  # noqa: E402

SUITES = (suites.hosts.test_gpus, suites.hosts.test_iommu, suites.hosts.test_vfio)
USER = "heat-admin"
MOST_OF_BARE = 1.5
LEAST_OF_COMMONLY = 10.0
JUDGED_FROM = 40


def main() -> int:
    """Start the hosts, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", default="10,40,100,300", help="how many, ascending")
    parser.add_argument("--commonly", type=int, default=40, help="as many hosts at most by testinfra")
    parser.add_argument("--times", type=int, default=3, help="the shortest of so many tries counts")
    parser.add_argument("--json", type=Path, help="write the figures")
    given = parser.parse_args()
    counts = [int(word) for word in given.hosts.split(",")]
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors", flush=True)
    with _lab(max(counts)) as (addresses, key, known_hosts):
        rows = [_measured(addresses[:count], key, known_hosts, given) for count in counts]
    if given.json:
        given.json.write_text(json.dumps({"questions": len(_plan().questions), "rows": rows}, indent=1) + "\n")
    slow = [row for row in rows if row["hosts"] >= JUDGED_FROM and not _is_good(row)]
    return int(bool(slow))


def _is_good(row: dict[str, Any]) -> bool:
    by_common = row["commonly_s_per_host"] * row["hosts"] / row["ours_s"]
    return row["ours_s"] <= MOST_OF_BARE * row["bare_s"] and by_common >= LEAST_OF_COMMONLY


def _measured(addresses: list[str], key: Path, known_hosts: Path, given: argparse.Namespace) -> dict[str, Any]:
    few = addresses[: given.commonly]
    bare_s = _shortest(given.times, lambda: _bare(addresses, key))
    ours_s = _shortest(given.times, lambda: _ours(addresses, key, known_hosts))
    commonly_s = _shortest(1, lambda: _commonly(few, key))
    row = {
        "hosts": len(addresses),
        "bare_s": round(bare_s, 3),
        "ours_s": round(ours_s, 3),
        "commonly_hosts": len(few),
        "commonly_s": round(commonly_s, 3),
        "commonly_s_per_host": round(commonly_s / len(few), 4),
    }
    print(
        f"{len(addresses):5} hosts: bare {bare_s:7.2f} s, ours {ours_s:7.2f} s ({ours_s / bare_s:.2f} x bare), "
        f"testinfra {commonly_s:7.2f} s for {len(few)} "
        f"({commonly_s / len(few) * len(addresses) / ours_s:.1f} x ours)",
        flush=True,
    )
    return row


def _shortest(times: int, do: Callable[[], None]) -> float:
    took = []
    for _ in range(times):
        started = time.perf_counter()
        do()
        took.append(time.perf_counter() - started)
    return min(took)


def _bare(addresses: list[str], key: Path) -> None:
    private = paramiko.PKey.from_path(key)

    def ask(address: str) -> None:
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())  # noqa: S507  # emulated hosts of this process
        client.connect(address, SSH_PORT, USER, pkey=private, allow_agent=False, look_for_keys=False)
        _, stdout, _ = client.exec_command("true")
        if stdout.channel.recv_exit_status() != 0:
            raise RuntimeError(f"{address} cannot do nothing")
        client.close()

    with ThreadPoolExecutor(max_workers=side_by_side.AT_ONCE) as pool:
        list(pool.map(ask, addresses))


def _ours(addresses: list[str], key: Path, known_hosts: Path) -> None:
    declared = tuple(DeclaredHost(name=f"gpu-{n}", address=each, role="compute") for n, each in enumerate(addresses))
    access = HostAccess(user=USER, port=SSH_PORT, key_file=key, known_hosts=known_hosts)
    cloud = Cloud.model_construct(
        name="bench", kind="existing", hosts=declared, overcloud_access=access, ssh_config=Path("none"), undercloud=None
    )
    hosts = Hosts(cloud, Environment())
    plan = _plan()
    gather(hosts, {host.name: plan for host in declared}, declared)
    asked = len(plan.questions)
    fewest = min(sum(name == host.name for name, *_ in hosts.answers) for host in declared)
    if hosts.absences or fewest <= asked / 2:
        raise RuntimeError(f"{list(hosts.absences)} were not reached, or gave {fewest} answers to {asked} questions")
    hosts.close()


def _plan() -> Plan:
    checks = [value for suite in SUITES for name, value in vars(suite).items() if name.startswith("test_")]
    plan = gathering_fixtures.OF_CARDS
    for check in checks:
        if isinstance(check, FunctionType):
            plan += gathering_fixtures.of_probes(check)
    return plan


def _commonly(addresses: list[str], key: Path) -> None:
    questions = _plan().questions
    for address in addresses:
        host = testinfra.get_host(f"paramiko://{USER}@{address}:{SSH_PORT}", ssh_identity_file=str(key))
        for question in questions:
            if question.as_root:
                with host.sudo():
                    host.run(question.command)
            else:
                host.run(question.command)
        host.backend.client.close()
        vars(host.backend).pop("client")  # testinfra keeps backends: the next measurement connects again


@contextmanager
def _lab(count: int) -> Iterator[tuple[list[str], Path, Path]]:
    """Emulated hosts with their sshd: addresses, the key of their user, and their host keys."""
    with tempfile.TemporaryDirectory(prefix="bench-hosts-") as folder:
        home = Path(folder)
        (home / "cache").symlink_to(REPOSITORY / ".lab" / "cache")
        template = next(host for host in DECLARATION["hosts"] if host["name"] == "compute-0")
        machines = Machines(lab_state.create(LabPaths(home, "hosts"), DECLARATION))
        names = [f"gpu-{number}" for number in range(count)]
        addresses = [f"{machines.state.network}.{1 + number // 250}.{1 + number % 250}" for number in range(count)]
        started = time.perf_counter()
        try:
            for name, address in zip(names, addresses, strict=True):
                machines.client.define(name, host_machine({**template, "name": name}, address))
                machines.client.boot(name)
            took_s = time.perf_counter() - started
            print(f"{count} emulated hosts are there after {took_s:.1f} s, {_memory_mib(machines):.0f} MiB", flush=True)
            known = home / "known_hosts"
            keys = (machines.client.state(name)["host_keys"][0] for name in names)
            lines = (f"[{address}]:{SSH_PORT} {public}\n" for address, public in zip(addresses, keys, strict=True))
            known.write_text("".join(lines), encoding="utf-8")
            yield addresses, machines.paths.secrets / "id_ed25519", known
        finally:
            for machine in machines.client.list():
                machines.client.destroy(machine["name"])
            machines.daemon.terminate()
            machines.daemon.wait(timeout=30)
            shutil.rmtree(machines.paths.sockets, ignore_errors=True)


def _memory_mib(machines: Machines) -> float:
    """Of the daemon and all that it started: what is theirs alone."""
    listed = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True).stdout
    parents = {int(pid): int(parent) for pid, parent in (line.split() for line in listed.splitlines()[1:])}
    family = {machines.daemon.pid}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(_private_kib(pid) for pid in family) / 1024


def _private_kib(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Private"))


if __name__ == "__main__":
    sys.exit(main())

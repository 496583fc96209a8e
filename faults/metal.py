"""Faults on a host of the metal tier, judged as on the emulated ones: `python -m faults.metal [--name LAB] [FAULT…]`.

Every fault is one of the catalogue, with what must be said of it; how it is put into a real machine stands in
metal.yaml. So the two tiers can be compared: docs/metal.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from faults.acceptance_process import Acceptances
from faults.fault import CATALOGUE, Fault, load
from faults.runner import HEALTHY, Runner
from faults.score import Answer, Score, judge, not_injected, table
from lab import state as lab_state
from lab.environment import enter
from lab.errors import LabError
from lab.hosts.daemon.client import MachinesClient
from lab.metal import tier
from lab.metal.layout import MetalDir
from lab.paths import REPOSITORY, LabPaths
from lab.services import control
from lab.state import SSH_PORT, LabState

LIST = Path(__file__).with_name("metal.yaml")
CLOUD = REPOSITORY / "clouds" / "lab-metal.yaml"
KEYS = {"fault", "run", "undo", "reboot", "card", "firmware", "controller", "controller_undo", "restart", "ends"}
LOOKED_AT = ("suites/hosts", "suites/control_plane")
COMMAND_LIMIT_S, BOOT_LIMIT_S, REPORT_LIMIT_S = 300, 240, 120
POLL_S = 1.0
BOOT_ID = "cat /proc/sys/kernel/random/boot_id"


@dataclass(frozen=True)
class MetalFault:
    """One entry of metal.yaml."""

    fault: Fault
    """As the catalogue has it, on this host."""
    steps: dict[str, Any]


def entries(host: str) -> list[MetalFault]:
    """All of metal.yaml.

    Raises:
        LabError: an entry with a key that nobody reads, or of no fault of the catalogue.
    """
    found = []
    for steps in yaml.safe_load(LIST.read_text(encoding="utf-8")):
        if unknown := set(steps) - KEYS:
            raise LabError(f"{LIST}: {steps.get('fault')} has no {', '.join(sorted(unknown))}")
        found.append(MetalFault(_on(host, load(CATALOGUE / f"{steps['fault']}.yaml")), steps))
    return found


def _on(host: str, fault: Fault) -> Fault:
    """What is said of a compute of the emulated lab is to be said of this one."""
    expect = tuple(
        replace(item, place=host) if (item.place or "").startswith("compute-") else item for item in fault.expect
    )
    return replace(fault, expect=expect, accept=LOOKED_AT)


class MetalHost:
    """A host of the metal tier, as its operator reaches it."""

    def __init__(self, state: LabState, name: str) -> None:
        self.state, self.name = state, name

    def run(self, command: str) -> str:
        """Carry out a command as root.

        Raises:
            LabError: it failed.
        """
        files = ["-i", str(self.state.paths.secrets / "id_ed25519")]
        files += ["-o", f"UserKnownHostsFile={self.state.paths.state / 'known_hosts'}", "-o", "BatchMode=yes"]
        where = ["-p", str(SSH_PORT), f"root@{self.state.host_addresses[self.name]}"]
        done = subprocess.run(
            ["ssh", *files, *where, command], capture_output=True, text=True, timeout=COMMAND_LIMIT_S, check=False
        )
        if done.returncode:
            raise LabError(f"{self.name}: `{command}`: exit code {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def reboot(self) -> None:
        """Reboot, and wait until another kernel answers.

        Raises:
            LabError: it does not come back.
        """
        before = self.run(BOOT_ID)
        self.run("systemctl --no-block reboot")
        deadline = time.monotonic() + BOOT_LIMIT_S
        while time.monotonic() < deadline:
            try:
                if self.run(BOOT_ID) != before:
                    return
            except (LabError, subprocess.TimeoutExpired):
                time.sleep(POLL_S)
        raise LabError(f"{self.name} did not come back from its reboot within {BOOT_LIMIT_S} s")

    def start_again(self, firmware: dict[str, Any]) -> None:
        """Switch the machine off and on, with another firmware."""
        self.run("sync")
        tier.power_off(self.state)
        self.state.declared(self.name)["firmware"].update(firmware)
        started = time.time()
        tier.wait(self.state, tier.start(self.state), started)


class MetalRunner(Runner):
    """Puts faults into the machine, and takes them out again."""

    def __init__(self, state: LabState, acceptances: Acceptances) -> None:
        cloud = yaml.safe_load(CLOUD.read_text(encoding="utf-8"))
        super().__init__(state, cloud, acceptances)
        self.host = MetalHost(state, state.metal[0])
        self.firmware = dict(state.declared(self.host.name)["firmware"])

    def prepare(self) -> Answer:
        """Accept the healthy host and control plane."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._write_cloud(HEALTHY, {})
        return self.accept(HEALTHY, LOOKED_AT, "--keep")

    def judge_entry(self, entry: MetalFault) -> Score:
        """Put a fault in, accept, and take it out."""
        started = time.monotonic()
        try:
            self._put_in(entry.steps)
            answer = self.accept(HEALTHY, LOOKED_AT, "--reuse")
        except (LabError, subprocess.TimeoutExpired) as error:
            return not_injected(entry.fault, time.monotonic() - started, str(error))
        finally:
            self._take_out(entry.steps)
        return judge(entry.fault, answer, time.monotonic() - started)

    def _put_in(self, steps: dict[str, Any]) -> None:
        self._command(steps, "run")
        if "card" in steps:
            MetalDir(self.state.paths, self.host.name).ailment_of(0).write_text(json.dumps(steps["card"]))
        if "firmware" in steps:
            self.host.start_again(steps["firmware"])
        self._on_controller(steps, "controller")

    def _take_out(self, steps: dict[str, Any]) -> None:
        MetalDir(self.state.paths, self.host.name).ailment_of(0).unlink(missing_ok=True)
        self._command(steps, "undo")
        if "firmware" in steps:
            self.host.start_again(self.firmware)
        self._on_controller(steps, "controller_undo")
        self._wait_for_report()

    def _command(self, steps: dict[str, Any], key: str) -> None:
        if key in steps:
            self.host.run(steps[key])
            if steps.get("reboot"):
                self.host.reboot()
            if steps.get("reboot") or ("nova-compute" in steps[key] and not steps.get("ends")):
                self._wait_for_report()

    def _on_controller(self, steps: dict[str, Any], key: str) -> None:
        if key not in steps:
            return
        done = MachinesClient(self.state.paths).run(self.state.controller, ["/bin/sh", "-c", steps[key]])
        if done.returncode:
            raise LabError(f"{self.state.controller}: {steps[key]}: {done.stderr}")
        control.restart(self.state, steps["restart"])

    def _wait_for_report(self) -> None:
        tier.wait(self.state, [self.host.name], time.time())


def main(arguments: list[str]) -> int:
    """Judge the faults of these names, or all; 1 if one is not found with its cause."""
    failed = enter("faults.metal", arguments)
    if failed is not None:
        return failed
    parser = argparse.ArgumentParser(prog="python -m faults.metal", description="Faults on the metal tier.")
    parser.add_argument("--name", default="metal", help="name of the lab (python -m lab --name NAME up --tier metal)")
    parser.add_argument("faults", nargs="*", help="ids; without one all of faults/metal.yaml")
    options = parser.parse_args(arguments)
    paths = LabPaths.of(options.name)
    state = lab_state.load(paths)
    acceptances = Acceptances(paths.home)
    runner = MetalRunner(state, acceptances)
    wanted = [entry for entry in entries(runner.host.name) if not options.faults or entry.fault.id in options.faults]
    healthy = runner.prepare()
    print(f"healthy: exit code {healthy.exit_code}", flush=True)
    scores = []
    for entry in wanted:
        scores.append(runner.judge_entry(entry))
        print(table(scores[-1:]).splitlines()[-1], scores[-1].note, flush=True)
    acceptances.close()
    print(table(scores))
    return 0 if all(score.is_right for score in scores) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

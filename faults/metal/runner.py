"""Puts faults into a host of the metal tier, has the cloud judged, and takes them out again."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from faults.acceptance_process import Acceptances
from faults.inject import Injector
from faults.metal.entries import ENDS, LIST, LOOKED_AT, RESTARTED, MetalFault, entries
from faults.metal.host import RESTART_TO_END, MetalHost
from faults.runner import HEALTHY, Runner
from faults.score import Answer, Score, judge, not_injected
from lab.errors import LabError
from lab.metal.layout import MetalDir
from lab.paths import REPOSITORY
from lab.services import control
from lab.state import LabState

CLOUD = REPOSITORY / "clouds" / "lab-metal.yaml"


def run_metal(state: LabState, names: Sequence[str] = ()) -> Iterator[Score]:
    """Judge the faults of these names, or all, one after another.

    Raises:
        LabError: there is no such fault; the healthy host is not accepted; a fault cannot be taken out.
    """
    known = {entry.fault.id: entry for entry in entries(state.metal[0])}
    if unknown := set(names) - set(known):
        raise LabError(f"{LIST} has no {', '.join(sorted(unknown))}")
    acceptances = Acceptances(state.paths.home)
    try:
        runner = MetalRunner(state, acceptances)
        runner.prepare()
        yield from (runner.judge_entry(known[name]) for name in names or known)
    finally:
        acceptances.close()


class MetalRunner(Runner):
    """One lab with a virtual machine, provisioned once; each fault is put in, judged and taken out."""

    def __init__(self, state: LabState, acceptances: Acceptances) -> None:
        cloud = yaml.safe_load(CLOUD.read_text(encoding="utf-8"))
        super().__init__(state, cloud, acceptances)
        self.host = MetalHost(state, state.metal[0])
        self.injector = Injector(state)

    def prepare(self) -> Answer:
        """Take out what a run that was killed left, then accept the healthy host and control plane.

        Raises:
            LabError: they are not accepted.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        if self.marker.exists():
            self._start_healthy()
        self._write_cloud(HEALTHY, {})
        return self._accepted(self.accept(HEALTHY, LOOKED_AT, "--keep"))

    def _start_healthy(self) -> None:
        """From files as they were saved, on a machine as declared; what the controller had is its lab's."""
        self._ailment().unlink(missing_ok=True)
        self.host.start_again({})
        self.host.put_back()
        self.host.reboot()
        self.marker.unlink()

    def judge_entry(self, entry: MetalFault) -> Score:
        """Put a fault in, accept, and take it out.

        Raises:
            LabError: it cannot be taken out.
        """
        started = time.monotonic()
        self.marker.write_text(entry.fault.id)
        try:
            self._put_in(entry)
            answer = self.accept(HEALTHY, LOOKED_AT, "--reuse")
        except (LabError, subprocess.TimeoutExpired) as error:
            return not_injected(entry.fault, time.monotonic() - started, str(error))
        finally:
            self._take_out(entry)
            self.marker.unlink()
        return judge(entry.fault, answer, time.monotonic() - started)

    def _put_in(self, entry: MetalFault) -> None:
        if entry.save:
            self.host.save(entry.save)
        if entry.card:
            self._ailment().write_text(json.dumps(entry.card))
        if entry.run:
            self.host.run(entry.run)
        if entry.compute == RESTARTED:
            self.host.restart_compute()
        if entry.compute == ENDS:
            self.host.run(RESTART_TO_END)
        if entry.reboot:
            self.host.reboot()
        if entry.after_reboot:
            self.host.run(entry.after_reboot)
        if entry.hardware:
            self.host.start_again(entry.hardware)
        self._outside(entry.controller, entry.administrator, entry.instance, entry.restart)

    def _take_out(self, entry: MetalFault) -> None:
        self._ailment().unlink(missing_ok=True)
        if entry.ends_in_a_cold_start:
            self.host.start_again({})
        self.host.put_back()
        if entry.undo:
            self.host.run(entry.undo)
        if entry.compute:
            self.host.restart_compute()
        if entry.reboot:
            self.host.reboot()
        self._outside(entry.controller_undo, entry.administrator_undo, entry.instance_undo, entry.restart)
        self.host.wait_for_report()

    def _ailment(self) -> Path:
        return MetalDir(self.state.paths, self.host.name).ailment_of(0)

    def _outside(self, controller: str, administrator: str, instance: str, services: tuple[str, ...]) -> None:
        """What is done elsewhere than on the host."""
        if controller:
            self.injector.shell(self.state.controller, controller)
        if services:
            control.restart(self.state, services)
        if administrator:
            self.injector.administer(administrator)
        if instance:
            self.injector.act(f"{self.cloud['prefix']}-{self.cloud['guests'][0]['name']}", instance)

"""One provisioned lab: each fault is injected, judged and undone."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Any

import yaml

from faults import static
from faults.acceptance_process import Acceptances
from faults.fault import Fault
from faults.inject import Injector
from faults.labs import INJECTED
from faults.merging import merge
from faults.score import Answer, Score, judge, not_injected
from lab.errors import LabError
from lab.state import LabState

SHOWN = 5
HEALTHY = "healthy"
BROKEN = "broken"


class Runner:
    """One lab, provisioned once; each fault is injected, judged and undone."""

    def __init__(self, state: LabState, cloud: dict[str, Any], acceptances: Acceptances) -> None:
        self.state = state
        self.cloud = cloud
        self.acceptances = acceptances
        self.directory = state.paths.state / "faults"
        self.marker = state.paths.state / INJECTED
        """There while a fault is in."""
        self.is_broken = False
        """Whether a fault could not be undone: the lab cannot be used for others."""

    def prepare(self) -> Answer:
        """Provision and accept the healthy cloud.

        Raises:
            LabError: the healthy lab is not accepted.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        self._write_cloud(HEALTHY, {})
        return self._accepted(self.accept(HEALTHY, ("suites/",), "--keep"))

    def _accepted(self, answer: Answer) -> Answer:
        if answer.exit_code != 0:
            bad = [f"{c['id']} [{c['place']}] {c['message'][:300]}" for c in answer.checks if c["verdict"] != "passed"]
            raise LabError("the healthy lab is not accepted: " + ("; ".join(bad[:SHOWN]) or answer.output[-2000:]))
        return answer

    def judge(self, fault: Fault) -> Score:
        """Inject a fault, run the acceptance, undo the fault."""
        started = time.monotonic()
        if fault.is_static:
            return judge(fault, static.preflight(fault, self.directory), time.monotonic() - started)
        injector = Injector(self.state)
        self.marker.write_text(fault.id)
        try:
            injector.inject(fault)
            answer = self._look(fault)
        except LabError as error:
            return not_injected(fault, time.monotonic() - started, str(error))
        finally:
            self.is_broken = not self._is_undone(fault, injector)
            if not self.is_broken:
                self.marker.unlink()
        return judge(fault, answer, time.monotonic() - started)

    def _look(self, fault: Fault) -> Answer:
        changes = next((step["cloud"] for step in fault.inject if "cloud" in step), None)
        if changes is not None:
            self._write_cloud(BROKEN, changes)
        name = HEALTHY if changes is None else BROKEN
        return self.accept(name, fault.accept, "--keep" if fault.provisions else "--reuse")

    def _is_undone(self, fault: Fault, injector: Injector) -> bool:
        try:
            injector.undo(fault)
        except LabError:
            return False
        return not fault.is_provisioned_after or self.accept(HEALTHY, ("suites/cuda",), "--keep").exit_code == 0

    def finish(self) -> None:
        """Remove what was provisioned."""
        self.accept(HEALTHY, ("suites/",), "--cleanup")

    def accept(self, name: str, what: Iterable[str], *options: str) -> Answer:
        """One acceptance of the cloud file `name`."""
        words = [*what, "--cloud", str(self.directory / f"{name}.yaml"), *options]
        return self.acceptances.run(words, self.directory / name)

    def _write_cloud(self, name: str, changes: dict[str, Any]) -> None:
        content = json.loads(json.dumps(self.cloud))
        content["runs_directory"] = str(self.directory / "runs")
        content["lab_name"] = self.state.paths.name
        merge(content, changes)
        (self.directory / f"{name}.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")

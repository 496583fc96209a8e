"""Inject faults one by one into provisioned labs, run the acceptance, and judge what it said."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml

from faults import static
from faults.fault import VARIANTS, Fault
from faults.inject import Injector
from faults.score import Answer, Score, judge, not_injected
from lab import state as lab_state
from lab.errors import LabError
from lab.hosts.hardware.declaration import check_declaration
from lab.paths import REPOSITORY, LabPaths
from lab.services import control
from lab.state import LabState

RUN_LIMIT_S = 420
SUITE_PYTHON = REPOSITORY / ".venv" / "bin" / "python"
DECLARATION = REPOSITORY / "lab" / "lab.yaml"
CLOUD = REPOSITORY / "clouds" / "lab.yaml"
SHOWN = 5
INJECTED = "injected-fault"
"""A lab with this file was broken by a run that did not end."""
HEALTHY, BROKEN = "healthy", "broken"


class Acceptances:
    """The process that runs acceptances, in the suite's environment."""

    def __init__(self, home: Path) -> None:
        drop = ("PYTEST_", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "GPU_ACCEPTANCE", "OS_")
        environment = {key: value for key, value in os.environ.items() if not key.startswith(drop)}
        self._process = subprocess.Popen(
            [str(SUITE_PYTHON), str(Path(__file__).with_name("acceptances.py"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY,
            env={**environment, "GPU_LAB_HOME": str(home)},
        )  # fmt: skip

    def run(self, arguments: Iterable[str], directory: Path) -> Answer:
        """One acceptance.

        Raises:
            LabError: the process ended.
        """
        asked = {"arguments": list(arguments), "run": str(directory), "limit_s": RUN_LIMIT_S}
        assert self._process.stdin is not None  # noqa: S101  opened above
        assert self._process.stdout is not None  # noqa: S101
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise LabError(f"the acceptances' process ended with {self._process.wait()}")
        return Answer(**json.loads(line))

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


class Runner:
    """One lab, provisioned once; each fault is put in, judged, and taken out."""

    def __init__(self, state: LabState, cloud: dict[str, Any], acceptances: Acceptances) -> None:
        self.state = state
        self.cloud = cloud
        self.acceptances = acceptances
        self.directory = state.paths.state / "faults"
        self.is_broken = False
        """Whether a fault could not be taken out again: the lab is of no use for others."""

    def prepare(self) -> Answer:
        """Provision and accept the healthy cloud.

        Raises:
            LabError: the healthy lab is not accepted.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        self._write_cloud(HEALTHY, {})
        answer = self.accept(HEALTHY, ("suites/",), "--keep")
        if answer.exit_code != 0:
            bad = [f"{c['id']} [{c['place']}] {c['message'][:300]}" for c in answer.checks if c["verdict"] != "passed"]
            raise LabError("the healthy lab is not accepted: " + ("; ".join(bad[:SHOWN]) or answer.output[-2000:]))
        return answer

    def judge(self, fault: Fault) -> Score:
        """Put a fault in, run the acceptance, take it out."""
        started = time.monotonic()
        if fault.is_static:
            return judge(fault, static.preflight(fault, self.directory), time.monotonic() - started)
        injector = Injector(self.state)
        marker = self.state.paths.state / INJECTED
        marker.write_text(fault.id)
        try:
            injector.inject(fault)
            answer = self._look(fault)
        except LabError as error:
            return not_injected(fault, time.monotonic() - started, str(error))
        finally:
            self.is_broken = not self._is_mended(fault, injector)
            if not self.is_broken:
                marker.unlink()
        return judge(fault, answer, time.monotonic() - started)

    def _look(self, fault: Fault) -> Answer:
        changes = next((step["cloud"] for step in fault.inject if "cloud" in step), None)
        if changes is not None:
            self._write_cloud(BROKEN, changes)
        name = HEALTHY if changes is None else BROKEN
        return self.accept(name, fault.accept, "--keep" if fault.provisions else "--reuse")

    def _is_mended(self, fault: Fault, injector: Injector) -> bool:
        try:
            injector.mend(fault)
        except LabError:
            return False
        return not fault.provisions or self.accept(HEALTHY, ("suites/cuda",), "--keep").exit_code == 0

    def finish(self) -> None:
        """Give back what was provisioned."""
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


def merge(content: dict[str, Any], changes: dict[str, Any]) -> None:
    """Put changes into a mapping; lists of named things are merged by name, other lists are replaced."""
    for key, value in changes.items():
        old = content.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            merge(old, value)
        elif _is_named(value) and _is_named(old):
            _merge_named(content[key], value)
        else:
            content[key] = value


def _is_named(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) and "name" in item for item in value)


def _merge_named(entries: list[dict[str, Any]], changes: list[dict[str, Any]]) -> None:
    for change in changes:
        known = next((entry for entry in entries if entry["name"] == change["name"]), None)
        if known is None:
            entries.append(change)
        else:
            merge(known, change)


def run(paths: LabPaths, faults: list[Fault], cloud_file: Path, jobs: int = 1) -> Iterator[Score]:
    """Judge faults in the labs that they ask for, in `jobs` labs at a time; a lab of a variant is made for them and destroyed.

    A fault whose healthy lab is not accepted counts as not injected.
    """
    batches: queue.Queue[tuple[str | None, list[Fault]]] = queue.Queue()
    for batch in _batches(faults, jobs):
        batches.put(batch)
    scores: queue.Queue[Score | BaseException | None] = queue.Queue()
    workers = [
        threading.Thread(target=_work, args=(_lab_of(paths, number), batches, scores, cloud_file), daemon=True)
        for number in range(jobs)
    ]
    for worker in workers:
        worker.start()
    working = len(workers)
    while working:
        said = scores.get()
        if isinstance(said, BaseException):
            raise said
        if said is None:
            working -= 1
        else:
            yield said


def _lab_of(paths: LabPaths, number: int) -> LabPaths:
    return paths if number == 0 else LabPaths(paths.home, f"{paths.name}-{number}")


def _batches(faults: list[Fault], jobs: int) -> Iterator[tuple[str | None, list[Fault]]]:
    """Faults that share a lab: those of the default lab dealt out to all jobs, then one batch a variant."""
    usual = [fault for fault in faults if fault.variant is None]
    yield from ((None, dealt) for number in range(jobs) if (dealt := usual[number::jobs]))
    others = sorted((fault for fault in faults if fault.variant), key=lambda fault: str(fault.variant))
    yield from ((variant, list(members)) for variant, members in groupby(others, key=lambda fault: fault.variant))


def _work(
    paths: LabPaths,
    batches: queue.Queue[tuple[str | None, list[Fault]]],
    scores: queue.Queue[Score | BaseException | None],
    cloud_file: Path,
) -> None:
    """Take batch after batch; what goes wrong is told to whoever waits for the scores."""
    acceptances = Acceptances(paths.home)
    try:
        while True:
            try:
                variant, members = batches.get_nowait()
            except queue.Empty:
                break
            for score in _group(paths, variant, members, cloud_file, acceptances):
                scores.put(score)
            if variant is None and not batches.empty() and (paths.state / "lab.json").exists():
                control.stop(lab_state.load(paths))  # its services would take time from the labs to come
        scores.put(None)
    except BaseException as error:
        scores.put(error)
    finally:
        acceptances.close()


def _group(
    paths: LabPaths, variant: str | None, faults: list[Fault], cloud_file: Path, acceptances: Acceptances
) -> Iterator[Score]:
    cloud = yaml.safe_load(cloud_file.read_text(encoding="utf-8"))
    if variant is None and all(fault.is_static for fault in faults):
        runner = Runner(LabState(paths, "", {}), cloud, acceptances)
        yield from map(runner.judge, faults)
        return
    state = _lab(paths, variant, cloud)
    try:
        yield from _in_lab(Runner(state, cloud, acceptances), variant, faults)
    finally:
        if variant is not None:
            control.destroy(state.paths)


def _in_lab(runner: Runner, variant: str | None, faults: list[Fault]) -> Iterator[Score]:
    """Judge faults in one lab; one that could not be mended is made anew for the next fault."""
    started = time.monotonic()
    for number, fault in enumerate(faults):
        if number == 0 or runner.is_broken:
            try:
                healthy = _made_again(runner).prepare() if runner.is_broken else runner.prepare()
            except LabError as error:
                yield from (not_injected(left, time.monotonic() - started, str(error)) for left in faults[number:])
                return
            seconds = time.monotonic() - started
        is_as_it_comes = variant is not None and fault.is_untouched
        yield judge(fault, healthy, seconds) if is_as_it_comes else runner.judge(fault)
    if variant is None and not runner.is_broken:
        runner.finish()


def _made_again(runner: Runner) -> Runner:
    """The runner with a fresh lab of the same declaration."""
    paths, declaration = runner.state.paths, runner.state.declaration
    control.destroy(paths)
    runner.state = lab_state.create(paths, declaration)
    control.up(runner.state, lambda text: None)
    runner.is_broken = False
    return runner


def _lab(paths: LabPaths, variant: str | None, cloud: dict[str, Any]) -> LabState:
    """The running lab, or a fresh one of a variant; the variant's part of the cloud file is put into `cloud`."""
    if variant is None:
        if (paths.state / INJECTED).exists():
            control.destroy(paths)
        return start(paths, DECLARATION, {})
    data = yaml.safe_load((VARIANTS / f"{variant}.yaml").read_text(encoding="utf-8"))
    cloud["release"] = data["release"]
    merge(cloud, data.get("cloud", {}))
    other = LabPaths(paths.home, f"{paths.name}-{variant}")
    shutil.rmtree(other.state, ignore_errors=True) if not (other.state / "lab.json").exists() else control.destroy(
        other
    )
    return start(other, DECLARATION, {"release": data["release"], "hosts": data.get("hosts", [])})


def start(paths: LabPaths, declaration: Path, changes: dict[str, Any]) -> LabState:
    """The lab `paths`, made from a declaration where there is none, and running."""
    if not (paths.state / "lab.json").exists():
        content = yaml.safe_load(declaration.read_text(encoding="utf-8"))
        merge(content, changes)
        check_declaration(content)
        state = lab_state.create(paths, content)
    else:
        state = lab_state.load(paths)
    control.up(state, lambda text: None)
    return state

"""Inject faults one by one into provisioned labs, run the acceptance, and judge what it said."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import yaml

from faults.acceptance_process import Acceptances
from faults.fault import Fault
from faults.labs import for_variant, numbered, remade
from faults.runner import Runner
from faults.score import Score, judge, not_injected
from lab import state as lab_state
from lab.errors import LabError
from lab.paths import LabPaths
from lab.services import control
from lab.state import LabState

PREPARATIONS = 3
"""After so many failed preparations in a row the rest of a batch counts as not injected, not after one."""


def run(paths: LabPaths, faults: list[Fault], cloud_file: Path, jobs: int = 1) -> Iterator[Score]:
    """Judge faults in the labs that they ask for, in `jobs` labs at a time.

    A lab of a variant is made for its faults and destroyed after them. A fault whose healthy lab is not accepted counts
    as not injected.
    """
    batches: queue.Queue[tuple[str | None, list[Fault]]] = queue.Queue()
    for batch in _batches(faults, jobs):
        batches.put(batch)
    scores: queue.Queue[Score | BaseException | None] = queue.Queue()
    workers = [
        threading.Thread(target=_work, args=(numbered(paths, number), batches, scores, cloud_file), daemon=True)
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
    """Take batch after batch; an exception is passed on to the reader of the scores."""
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
    state = for_variant(paths, variant, cloud)
    try:
        yield from _infor_variant(Runner(state, cloud, acceptances), variant, faults)
    finally:
        if variant is not None:
            control.destroy(state.paths)


def _infor_variant(runner: Runner, variant: str | None, faults: list[Fault]) -> Iterator[Score]:
    """Judge faults in one lab; one that could not be repaired is made again for the next fault."""
    started, failed = time.monotonic(), 0
    is_prepared = False
    for number, fault in enumerate(faults):
        if not is_prepared or runner.is_broken:
            is_prepared = False
            try:
                if runner.is_broken:
                    runner.state, runner.is_broken = remade(runner.state), False
                healthy = runner.prepare()
            except LabError as error:
                failed += 1
                runner.is_broken = True  # the next fault gets a lab that is made again
                left = faults[number:] if failed == PREPARATIONS else faults[number : number + 1]
                yield from (not_injected(item, time.monotonic() - started, str(error)) for item in left)
                if failed == PREPARATIONS:
                    return
                continue
            is_prepared, failed, seconds = True, 0, time.monotonic() - started
        is_as_it_comes = variant is not None and fault.is_untouched
        yield judge(fault, healthy, seconds) if is_as_it_comes else runner.judge(fault)
    if variant is None and not runner.is_broken:
        runner.finish()

"""Runs as an acceptance of a lab with four cards leaves them, with figures of our choice."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from judging.outcome import Outcome, outcome_of
from judging.records import CheckRecord, Evidence, Measurement, Verdict
from reports.records import Card, HostFacts, RunEnd, RunHeader, RunWriter
from reports.run import Run

FIRST_NIGHT = datetime.datetime(2026, 10, 1, 22, 30, tzinfo=datetime.UTC)
UUIDS = tuple(f"GPU-0000000{number}-aaaa-bbbb-cccc-dddddddddddd" for number in range(4))
"""Of compute-0 (0 and 1) and compute-1 (2 and 3)."""
LEVELS = {"bandwidth.h2d": 11.9, "bandwidth.d2h": 12.8, "latency.kernel": 6.3}
UNITS = {"bandwidth": "GB/s", "latency": "us"}
FACTS = {
    "kernel": "3.10.0-693.el7.x86_64",
    "bios_vendor": "Dell Inc.",
    "bios_version": "2.4.3",
    "bios_date": "01/17/2017",
    "sys_vendor": "Dell Inc.",
    "product_name": "PowerEdge C4130",
}
Figure = Callable[[str, str, int], float]
"""From metric, card and repetition to a value."""


def usual(metric: str, card: str, repetition: int) -> float:
    """What the metric usually is."""
    return LEVELS[metric] + 0.001 * repetition


def check(identity: str, place: str = "", verdict: Verdict = Verdict.PASSED, **more: Any) -> CheckRecord:
    """One record with evidence."""
    evidence = (Evidence(place or "undercloud", "true", 0, "fine", 0.1, sha256(b"fine").hexdigest()),)
    base = CheckRecord(
        identity, place, verdict, f"suites/test_it.py::{identity}[{place}]", "A fact.", evidence=evidence
    )
    return replace(base, **more)


def measured(host: str, cards: Sequence[str], figure: Figure) -> tuple[Measurement, ...]:
    """Three repetitions of each metric on each card."""
    return tuple(
        Measurement(
            metric,
            figure(metric, card, number),
            UNITS[metric.split(".")[0]],
            host,
            str(index),
            number,
            minimum=10.0 if metric.startswith("bandwidth") else None,
            source="a data sheet",
        )
        for metric in LEVELS
        for index, card in enumerate(cards)
        for number in (1, 2, 3)
    )


def made_run(
    night: int = 0,
    figure: Figure = usual,
    *,
    facts: Mapping[str, str] = FACTS,
    driver: str = "384.183",
    more: Sequence[CheckRecord] = (),
    **header: Any,
) -> Run:
    """One night's run."""
    started = FIRST_NIGHT + datetime.timedelta(days=night)
    guests = {"all-cards": UUIDS[:2], "one-card": UUIDS[2:3]}
    hosts = [HostFacts(name, dict(facts)) for name in ("compute-0", "compute-1")]
    hosts += [
        HostFacts(guest, {"kernel": FACTS["kernel"], "driver": driver}, tuple(_card(i, u) for i, u in enumerate(cards)))
        for guest, cards in guests.items()
    ]
    checks = [check("host.gpu.present", host) for host in ("compute-0", "compute-1")]
    checks += [
        check("cuda.bandwidth", guest, measurements=measured(guest, cards, figure)) for guest, cards in guests.items()
    ]
    checks += more
    base = RunHeader(
        "cloud-1",
        False,
        started.isoformat(timespec="milliseconds"),
        f"cloud-1-{started:%Y%m%dT%H%M%SZ}-0000",
        environment={"release": "ocata", "cuda": "9.0"},
        declared_hosts={"compute-0": 2, "compute-1": 1},
        declared_guests={"all-cards": 2, "one-card": 1},
    )
    outcome = outcome_of(checks)
    codes = {Outcome.ACCEPTED: 0, Outcome.REJECTED: 1, Outcome.COULD_NOT_JUDGE: 69}
    ended = (started + datetime.timedelta(minutes=20)).isoformat(timespec="milliseconds")
    return Run(replace(base, **header), tuple(checks), tuple(hosts), RunEnd(ended, outcome, codes[outcome]))


def _card(index: int, uuid: str) -> Card:
    return Card(
        str(index), "Tesla P100-PCIE-16GB", uuid, f"032461700{index}", f"00000000:00:0{5 + index}.0", "86.00.26.00.02"
    )


def write(run: Run, directory: Path) -> Path:
    """The run's files."""
    writer = RunWriter(directory, run.header)
    for line in (*run.hosts, *run.checks, *([run.end] if run.end else [])):
        writer.append(line)
    return directory


def nights(
    count: int, *, noise: float = 0.003, seed: int = 1, of: Callable[[int, str, str], float] = lambda *_: 1.0
) -> Iterator[Run]:
    """`count` nights with noise; `of` gives each night's factor of a metric and card."""
    random = np.random.default_rng(seed)
    for night in range(count):

        def figure(metric: str, card: str, repetition: int, night: int = night) -> float:
            return usual(metric, card, repetition) * of(night, metric, card) * (1 + noise * random.normal())

        yield made_run(night, figure)

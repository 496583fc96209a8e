"""Runs made by code: healthy or with faults, one host or a thousand, the same for the same arguments."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from judging.outcome import Outcome
from judging.records import CheckRecord, Evidence, Measurement, Verdict
from reports.records import Card, HostFacts, Line, RunEnd, RunHeader, json_line

SOURCE = "reference of the model, measured on four cards of another site"
STARTED = "2026-03-01T02:00:00.000+00:00"


@dataclass(frozen=True)
class Shape:
    """How large a run is, and what is wrong in it."""

    hosts: int = 2
    cards: int = 2
    checks_per_host: int = 12
    repetitions: int = 3
    broken_hosts: int = 0
    """Hosts without IOMMU: what rests on it fails there, too."""
    slow_cards: int = 0
    """Cards whose link carries half."""
    output_chars: int = 300
    simulated: bool = False
    whole: bool = True
    bare_metal: bool = False


HOST_CHECKS = (
    ("host.iommu.firmware", ()),
    ("host.iommu.cmdline", ("host.iommu.firmware",)),
    ("host.iommu.groups", ("host.iommu.cmdline",)),
    ("host.gpu.present", ()),
    ("host.gpu.driver", ("host.gpu.present",)),
    ("host.gpu.link_width", ("host.gpu.present",)),
    ("control_plane.alias.compute", ()),
    ("control_plane.device_spec.matches", ("host.gpu.present",)),
    ("instance.gpu.exact", ("host.*",)),
    ("instance.driver.loaded", ("instance.gpu.exact",)),
    ("cuda.device_query", ("instance.driver.*",)),
)
ROOT, BLOCKED_BY_ROOT = "host.iommu.cmdline", ("host.iommu.groups",)


def lines(shape: Shape = Shape(), name: str = "made-20260301T020000Z-0000") -> Iterator[Line]:
    """All lines of a run, the first one its header."""
    chance = random.Random(7)  # noqa: S311  # the same run each time
    names = [f"compute-{number}" for number in range(shape.hosts)]
    yield RunHeader(
        "made",
        shape.simulated,
        STARTED,
        name,
        environment={"release": "ocata", "cuda": "9.0", "cuda_packages": ["cuda-drivers-384.183", "cuda-toolkit-9-0"]},
        whole=shape.whole,
        declared_hosts=dict.fromkeys(names, shape.cards),
    )
    worst = Verdict.PASSED
    for number, host in enumerate(names):
        yield _facts(host, number, shape)
        for check in _checks(host, number, shape, chance):
            worst = check.verdict if check.verdict is Verdict.FAILED else worst
            yield replace(check, simulated=shape.simulated)
    outcome = Outcome.REJECTED if worst is Verdict.FAILED else Outcome.ACCEPTED
    yield RunEnd("2026-03-01T02:14:05.000+00:00", outcome, int(outcome is Outcome.REJECTED))


def write(directory: Path, shape: Shape = Shape(), name: str = "made-20260301T020000Z-0000") -> Path:
    """The run as a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "records.jsonl").open("w", encoding="utf-8", errors="replace") as stream:
        stream.writelines(map(json_line, lines(shape, name)))
    return directory


def _facts(host: str, number: int, shape: Shape) -> HostFacts:
    facts = {
        "kernel": "3.10.0-693.el7.x86_64",
        "system": "Red Hat Enterprise Linux Server release 7.4 (Maipo)",
        "bios_vendor": "Dell Inc.",
        "bios_version": "2.4.8" if number % 17 == 5 else "2.6.0",
        "bios_date": "11/26/2019",
        "sys_vendor": "Dell Inc.",
        "product_name": "PowerEdge C4130",
        "driver": "384.183",
    }
    cards = tuple(
        Card(
            str(index),
            "Tesla P100-PCIE-16GB",
            f"GPU-{number:08x}-{index:04x}",
            f"03{number:06d}{index:02d}",
            f"00000000:{index + 4:02x}:00.0",
            "86.00.26.00.02",
        )
        for index in range(shape.cards)
    )
    return HostFacts(host, facts, cards)


def _checks(host: str, number: int, shape: Shape, chance: random.Random) -> Iterator[CheckRecord]:
    is_broken = number < shape.broken_hosts
    for index in range(shape.checks_per_host - 1):
        check, rests_on = HOST_CHECKS[index % len(HOST_CHECKS)]
        check = check if index < len(HOST_CHECKS) else f"{check}.{index // len(HOST_CHECKS)}"
        yield _check(check, rests_on, host, shape, chance, is_broken=is_broken)
    yield _bandwidth(host, number, shape, chance)


def _check(
    check: str, rests_on: tuple[str, ...], host: str, shape: Shape, chance: random.Random, *, is_broken: bool
) -> CheckRecord:
    output = "".join(f"{chance.getrandbits(32):08x} device line\n" for _ in range(max(1, shape.output_chars // 21)))
    record = CheckRecord(
        check,
        host,
        Verdict.PASSED,
        f"suites/test_{check.split('.')[0]}.py::test_{check}[{host}]",
        f"What {check} says is so on every host.",
        source="https://docs.kernel.org/driver-api/vfio.html",
        rests_on=rests_on,
        duration_s=round(chance.uniform(0.01, 2), 3),
        started=STARTED,
        expected=f"What {check} says is so on every host.",
        evidence=(Evidence(host, f"sudo lspci -s {chance.getrandbits(8):02x}:00.0 -vv", 0, output, 0.12, "ab" * 32),),
    )
    if is_broken and check == ROOT:
        return replace(
            record,
            verdict=Verdict.FAILED,
            cause="argument-missing",
            file="/etc/default/grub",
            line_number=6,
            message="the kernel runs without intel_iommu=on",
            found="the kernel runs without intel_iommu=on",
            fix="add intel_iommu=on iommu=pt to GRUB_CMDLINE_LINUX, run grub2-mkconfig, reboot",
        )
    if is_broken and check in BLOCKED_BY_ROOT:
        return replace(record, verdict=Verdict.FAILED, cause="no-groups", message="no device is in an IOMMU group")
    if is_broken and check.startswith(("instance", "cuda")):
        return replace(record, verdict=Verdict.BLOCKED, message="no instance was made on this host", evidence=())
    return record


def _bandwidth(host: str, number: int, shape: Shape, chance: random.Random) -> CheckRecord:
    figures = []
    for card in range(shape.cards):
        is_slow = number * shape.cards + card < shape.slow_cards
        for metric, typical, minimum in (("h2d", 11.9, 10.0), ("d2h", 12.8, 10.0), ("d2d", 500.0, 450.0)):
            factor = 0.5 if is_slow and metric != "d2d" else 1.0
            for repetition in range(1, shape.repetitions + 1):
                value = round(typical * factor * chance.gauss(1, 0.004), 4)
                bare = typical if shape.bare_metal else None
                figures.append(
                    Measurement(
                        f"bandwidth.{metric}",
                        value,
                        "GB/s",
                        host,
                        str(card),
                        repetition,
                        minimum,
                        None,
                        SOURCE,
                        "higher",
                        bare_metal=bare,
                    )
                )
    figures += _pairs(host, shape, chance)
    slow = [figure for figure in figures if figure.minimum is not None and figure.value < figure.minimum]
    record = CheckRecord(
        "cuda.bandwidth",
        host,
        Verdict.PASSED,
        f"suites/cuda/test_cuda.py::test_bandwidth[{host}]",
        "Every card copies as fast as its link allows.",
        rests_on=("cuda.device_query",),
        duration_s=21.0,
        started=STARTED,
        measurements=tuple(figures),
    )
    if slow:
        return replace(
            record,
            verdict=Verdict.FAILED,
            cause="slow-link",
            message=f"{len(slow)} copies are slow: {slow[0].value} GB/s",
            fix="memory on the card is fast, the way to it is not: link width and generation under load",
        )
    return record


def _pairs(host: str, shape: Shape, chance: random.Random) -> Iterator[Measurement]:
    for one in range(shape.cards):
        for other in range(shape.cards):
            if one == other:
                continue
            near = one // 2 == other // 2
            path, speed, least, delay, most = (
                ("p2p_same_root", 13.1, 12.0, 1.4, 3.0) if near else ("p2p_through_host", 10.2, 8.0, 12.0, 20.0)
            )
            pair = f"{one}-{other}"
            yield Measurement(
                f"bandwidth.{path}",
                round(speed * chance.gauss(1, 0.01), 3),
                "GB/s",
                host,
                pair,
                1,
                least,
                None,
                SOURCE,
                "higher",
            )
            yield Measurement(
                f"latency.{path}",
                round(delay * chance.gauss(1, 0.02), 3),
                "us",
                host,
                pair,
                1,
                None,
                most,
                SOURCE,
                "lower",
            )

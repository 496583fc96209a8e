"""From what a load left to findings: what a card computed, what it counted, whether it kept its clocks. Data in."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from access.data_files import read_data
from access.errors import Blocked, MeasurementError, NotVerified, ToolFailure
from judging import dcgm_causes, driver_words
from judging.finding import Finding
from judging.records import Measurement
from probes import link_errors
from probes.dcgm_diag import FAILED, Diagnosis, Result
from probes.load.loaded import Loaded
from probes.nvidia_smi.gpu import Gpu
from probes.pci_address import PciAddress

FILE = Path(__file__).with_name("counters.yaml")
HARMLESS = ("Idle", "Applications Clocks Setting", "Display Clock Setting", "Sync Boost", "SW Power Cap")
"""Reasons of lower clocks under a full load: cards are built to reach their power limit there.

https://docs.nvidia.com/deploy/nvml-api/group__nvmlClocksEventReasons.html
"""
LEAST_SHARE_OF_ONE = 0.8
"""What all cards of a host together copy of what one does alone: a shared way is divided, it does not shrink."""
MOST_TOLD = 6
INSTALL = "install the CUDA compiler (nvcc) and make in the image, or gpu_burn"


@dataclass(frozen=True)
class Counter:
    """A counter that must not grow."""

    path: re.Pattern[str]
    cause: str
    source: str
    per_minute: float = 0.0

    def is_too_much(self, grown: int, seconds: float) -> bool:
        """Whether it grew by more than is harmless in that time."""
        return grown > self.per_minute * seconds / 60


@cache
def counters(kind: str = "counters") -> tuple[Counter, ...]:
    """Those of the cards, of `nvlink` or of the `host`."""
    return tuple(Counter(**{**entry, "path": re.compile(entry["path"])}) for entry in read_data(FILE)[kind])


def require_loaded(loaded: Loaded) -> None:
    """Leave the check without a verdict where there is no load to judge.

    Raises:
        Blocked: another check failed, so that the machine could not be reached.
        MeasurementError: it could not be loaded; a machine that was lost under its load is a finding.
    """
    if loaded.missing and loaded.is_blocked:
        raise Blocked(loaded.missing)
    if loaded.missing:
        raise MeasurementError(f"{loaded.name}: {loaded.missing}")


def lost(loaded: Loaded) -> list[Finding]:
    """A machine that went away under its load."""
    return [Finding("machine-lost-under-load", f"{loaded.name}: {loaded.lost}")] if loaded.lost else []


def wrong_results(loaded: Loaded) -> list[Finding]:
    """Cards that computed wrong or lost what was in their memory, by our program, gpu_burn and DCGM.

    Raises:
        NotVerified: nothing that checks its results could run there.
        ToolFailure, ParseError: as the tools say.
    """
    found = [
        Finding(
            "memory-loses-bits",
            f"device {card.device}: {card.wrong_words} words of {card.memory_bytes / 2**30:.1f} GiB did not hold what "
            f"was written, in {card.passes} passes",
        )
        for card in loaded.checks
        if card.wrong_words
    ]
    found += [
        Finding(
            "card-computes-wrong",
            f"device {card.device}: {card.wrong_products} of {card.products} products differ from its first one",
        )
        for card in loaded.checks
        if card.wrong_products
    ]
    burned = loaded.burned
    found += [
        Finding("card-computes-wrong", f"device {gpu.index}: gpu_burn found {gpu.errors} errors")
        for gpu in (burned.gpus if burned else ())
        if gpu.errors or gpu.has_died
    ]
    if not loaded.checks and burned is None:
        said = (loaded.texts.get("build", "").strip().splitlines() or ["nothing"])[-1]
        raise NotVerified(
            f"nothing that checks its results could run; the build said: {said[:300]}\n  what to do: {INSTALL}"
        )
    _require_all(loaded)
    return found + dcgm_findings(loaded.diagnosis_if_any)


def _require_all(loaded: Loaded) -> None:
    """Each card of the machine was loaded.

    Raises:
        NotVerified: one was not.
    """
    wanted = len(loaded.before.gpus)
    made = len(loaded.checks) or len([gpu for gpu in (loaded.burned.gpus if loaded.burned else ()) if gpu.products])
    if made != wanted:
        raise NotVerified(f"{made} of {wanted} cards were loaded: {loaded.texts.get('stderr', '').strip()[:300]}")


def dcgm_findings(diagnosis: Diagnosis | None) -> list[Finding]:
    """What DCGM says against cards; not its own failings, nor settings that a healthy instance may have."""
    results = diagnosis.results if diagnosis else ()
    return [finding for result in results for finding in _of_result(result)]


def _of_result(result: Result) -> Iterator[Finding]:
    where = f"GPU {result.gpu}" if result.gpu else "the machine"
    for complaint in result.complaints:
        cause = dcgm_causes.cause_of(complaint.number, complaint.severity)
        is_told = result.state == FAILED or complaint.number is not None
        if cause not in (dcgm_causes.HARMLESS, dcgm_causes.OURS) and is_told:
            number = "" if complaint.number is None else f" ({complaint.number})"
            yield Finding(cause, f"dcgmi diag, {result.test} of {where}: {complaint.words[:300]}{number}")
    if result.state == FAILED and not result.complaints:
        yield Finding(dcgm_causes.UNKNOWN, f"dcgmi diag: {result.test} of {where} failed")


def grown_counters(loaded: Loaded) -> list[Finding]:
    """Counters of cards, links and host that grew, and what the driver logged meanwhile.

    Raises:
        ParseError: as the tools say.
    """
    seconds = loaded.load_seconds
    after = {gpu.address: gpu for gpu in loaded.after.gpus}
    missing = [str(gpu.address) for gpu in loaded.before.gpus if gpu.address not in after]
    found = [Finding("card-lost-under-load", f"{', '.join(missing)} is gone after the load")] if missing else []
    for gpu in loaded.before.gpus:
        if gpu.address in after:
            found += _too_much(str(gpu.address), _grown(gpu, after[gpu.address]), "counters", seconds)
    found += _too_much("", loaded.links_grown, "nvlink", seconds)
    host = link_errors.grown_aer(loaded.texts.get("server_before", ""), loaded.texts.get("server_after", ""))
    found += _too_much(loaded.host, host, "host", seconds)
    return found + _logged(loaded)


def _grown(before: Gpu, after: Gpu) -> Mapping[str, tuple[int, int]]:
    """Whole figures that are larger afterwards; what cannot be read on one side is not compared."""
    found = {}
    for path, text in after.fields.items():
        then = _count(before.fields.get(path))
        now = _count(text)
        if then is not None and now is not None and now > then:
            found[path] = (then, now)
    return found


def _count(text: str | None) -> int | None:
    match = re.fullmatch(r"([0-9]{1,18})(?: us)?", text or "")
    return int(match[1]) if match else None


def _too_much(place: str, grown: Mapping[str, tuple[int, int]], kind: str, seconds: float) -> Iterator[Finding]:
    """One finding for each cause: a total grows with its parts."""
    by_cause: dict[str, list[str]] = {}
    for path, (before, after) in grown.items():
        counter = next((counter for counter in counters(kind) if counter.path.fullmatch(path)), None)
        if counter is not None and counter.is_too_much(after - before, seconds):
            by_cause.setdefault(counter.cause, []).append(f"{path} grew from {before} to {after}")
    for cause, told in by_cause.items():
        more = f" and {len(told) - MOST_TOLD} more" if len(told) > MOST_TOLD else ""
        yield Finding(cause, f"{place}{': ' if place else ''}{'; '.join(told[:MOST_TOLD])}{more}, in {seconds:.0f} s")


def _logged(loaded: Loaded) -> list[Finding]:
    log = loaded.new_lines
    if log is None:
        return []
    found = [*driver_words.of_xids(log.xids), *driver_words.of_switches(log.switch_errors)]
    fallen = [Finding("card-fell-off-the-bus", item.line[:300]) for item in log.fallen_off]
    return [*fallen, *(Finding(each.cause, each.what, each.values) for each in found)]


def throttled(loaded: Loaded) -> list[Finding]:
    """Cards whose clocks were held down by heat or a lack of power while they worked.

    Raises:
        ParseError: no sample could be read.
    """
    reasons: dict[PciAddress, dict[str, int]] = {}
    for answer in loaded.samples:
        for gpu in answer.gpus:
            for reason in _told(gpu):
                counted = reasons.setdefault(gpu.address, {})
                counted[reason] = counted.get(reason, 0) + 1
    return [
        Finding(
            "throttling",
            f"{address}: {', '.join(f'{reason} in {count}' for reason, count in sorted(counted.items()))} of "
            f"{len(loaded.samples)} looks under load, at {hottest(loaded).get(address, '?')} C",
        )
        for address, counted in reasons.items()
    ]


def _told(gpu: Gpu) -> list[str]:
    try:
        return [reason for reason in gpu.active_throttle_reasons or () if reason not in HARMLESS]
    except ToolFailure:
        return []  # another check judges what the driver cannot read


def hottest(loaded: Loaded) -> dict[PciAddress, float]:
    """The highest temperature of each card under load, where its sensor answers."""
    found: dict[PciAddress, float] = {}
    for answer in loaded.samples:
        for gpu in answer.gpus:
            try:
                now = gpu.temperature_c
            except ToolFailure:
                continue
            if now is not None:
                found[gpu.address] = max(now, found.get(gpu.address, now))
    return found


def clocks(loaded: Loaded) -> dict[PciAddress, float]:
    """The median clock of each card under load in MHz, where it is told."""
    found: dict[PciAddress, list[float]] = {}
    for answer in loaded.samples:
        for gpu in answer.gpus:
            try:
                now = gpu.number("Clocks/SM", "Clocks/Graphics")
            except ToolFailure:
                continue
            if now is not None:
                found.setdefault(gpu.address, []).append(now)
    return {address: statistics.median(values) for address, values in found.items()}


def collapsed(machines: Sequence[Loaded]) -> list[Finding]:
    """Machines of one host whose cards copy less together than one of them alone.

    Cards behind one switch share its way, so that each gets a part of it; all of them together have no less than one.
    """
    found = []
    for way in ("h2d", "d2h"):
        alone = [getattr(card, f"{way}_gb_per_s") for machine in machines for card in machine.alone]
        together = [getattr(card, f"{way}_gb_per_s") for machine in machines for card in machine.together]
        if len(together) > 1 and alone and sum(together) < LEAST_SHARE_OF_ONE * max(alone):
            found.append(
                Finding(
                    "copies-collapse-together",
                    f"{way}: {len(together)} cards at once copy {sum(together):.1f} GB/s together, one of them alone "
                    f"{max(alone):.1f}",
                )
            )
    return found


def measurements(loaded: Loaded) -> list[Measurement]:
    """How long which load ran on each card, and what it reached."""
    made = []
    for card in loaded.checks:
        made += [
            _how_long(loaded, "card_load", card.seconds, card.device),
            _figure(loaded, "compute.load", card.gflop_per_s, "GFLOP/s", card.device, "card_load"),
        ]
    burn_s = loaded.burned.duration_s if loaded.burned else None
    for gpu in loaded.burned.gpus if loaded.burned else ():
        if burn_s is not None:
            made.append(_how_long(loaded, "gpu_burn", burn_s, gpu.index))
    for copied in loaded.together:
        made += [
            _figure(loaded, "bandwidth.h2d.together", copied.h2d_gb_per_s, "GB/s", copied.device, "all cards at once"),
            _figure(loaded, "bandwidth.d2h.together", copied.d2h_gb_per_s, "GB/s", copied.device, "all cards at once"),
        ]
    return made


def heat(loaded: Loaded) -> list[Measurement]:
    """The highest temperature of each card under load."""
    places = {gpu.address: number for number, gpu in enumerate(loaded.before.gpus)}
    return [
        _figure(loaded, "temperature.load", value, "C", places[address], "nvidia-smi")
        for address, value in hottest(loaded).items()
        if address in places
    ]


def _figure(
    loaded: Loaded, metric: str, value: float, unit: str, device: int, tool: str, minimum: float | None = None
) -> Measurement:
    source = f"{tool}, level {loaded.level}"
    return Measurement(metric, value, unit, loaded.name, str(device), 1, minimum, source=source)


def _how_long(loaded: Loaded, tool: str, seconds: float, device: int) -> Measurement:
    """With the level's time as its minimum: loads of different levels are no figures to compare."""
    planned = loaded.planned.get(tool, 0)
    return _figure(loaded, f"load.{tool}", seconds, "s", device, tool, float(planned) if seconds >= planned else None)


def told(loaded: Loaded) -> str:
    """Which loads ran, how long, for the record."""
    parts = []
    if loaded.checks:
        card = min(loaded.checks, key=lambda each: each.seconds)
        parts.append(
            f"card_load {card.seconds:.0f} s on {len(loaded.checks)} cards at once ({card.passes} passes over "
            f"{card.memory_bytes / 2**30:.0f} GiB, {card.products} products)"
        )
    if loaded.burned:
        parts.append(f"gpu_burn {loaded.burned.duration_s or '?'} s on {len(loaded.burned.gpus)} cards")
    diagnosis = loaded.diagnosis_if_any
    if diagnosis:
        parts.append(f"dcgmi diag {diagnosis.version or ''}: {', '.join(diagnosis.made) or 'no test of these cards'}")
    return f"level {loaded.level}: {'; '.join(parts)}"

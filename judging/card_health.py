"""From what the driver tells of the cards to findings: what is wrong with one, the most telling first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from access.errors import ToolFailure
from probes.nvidia_smi.query import Gpu, Query

CAUSES = (
    "memory-beyond-repair",
    "inforom-corrupted",
    "card-needs-a-reset",
    "sensors-do-not-answer",
    "memory-repair-pending",
    "uncorrected-memory-errors",
    "fabric-not-ready",
    "card-is-partitioned",
    "error-correction-off",
)
"""In the order in which they are named when several apply."""
OF_FAILURES = {"reset-required": "card-needs-a-reset", "gpu-lost": "card-needs-a-reset/lost"}
"""What ails a card whose value could not be read; otherwise its sensors do not answer."""
RECOVERIES = (("reboot", "/reboot"), ("p2p", "/drain"), ("imex", "/reboot"))
"""Words of a recovery action that ask for more than a reset of the card, with the wording of the fix."""
MOST_RETIRED_PAGES = 60
"""From so many on NVIDIA takes a card back; 64 can be retired.

https://docs.nvidia.com/deploy/dynamic-page-retirement/index.html
"""
INFOROM = "infoROM is corrupted"


@dataclass(frozen=True)
class CardFinding:
    """One thing that is wrong with one card."""

    cause: str
    what: str
    values: Mapping[str, object] = field(default_factory=dict)


def findings(query: Query, *, wants_ecc: bool) -> list[CardFinding]:
    """Everything that is wrong; `wants_ecc`: whether memory is to be protected."""
    found = [CardFinding("inforom-corrupted", line) for line in query.warnings if INFOROM in line]
    found += [finding for gpu in query.gpus for finding in _of_card(gpu, wants_ecc=wants_ecc)]
    return sorted(found, key=lambda finding: CAUSES.index(finding.cause.partition("/")[0]))


def _of_card(gpu: Gpu, *, wants_ecc: bool) -> Iterator[CardFinding]:
    """What cannot be read is one finding, whatever was to be asked of it."""
    told: set[str] = set()
    for question in _QUESTIONS:
        try:
            found = list(question(gpu))
        except ToolFailure as failure:
            cause = OF_FAILURES.get(failure.kind, "sensors-do-not-answer")
            found = [] if cause in told else [CardFinding(cause, f"{gpu.address}: {failure.line}")]
            told.add(cause)
        yield from found
    if wants_ecc:
        yield from _protection(gpu)


def _sensors(gpu: Gpu) -> Iterator[CardFinding]:
    """What cannot be read raises; any value is in order, and a sensor that the card lacks as well."""
    _ = gpu.temperature_c, gpu.power_draw_w
    yield from ()


def _memory(gpu: Gpu) -> Iterator[CardFinding]:
    if gpu.has_remapping_failed:
        yield CardFinding("memory-beyond-repair", f"a row of {gpu.address} could not be replaced")
    retired = sum(count or 0 for count in gpu.retired_pages)
    if retired >= MOST_RETIRED_PAGES:
        yield CardFinding("memory-beyond-repair", f"{gpu.address} has retired {retired} pages of its memory")
    if gpu.has_worn_out_memory:
        what = f"{gpu.address} says: SRAM Threshold Exceeded, or Unrepairable Memory"
        yield CardFinding("memory-beyond-repair", what)


def _repairs(gpu: Gpu) -> Iterator[CardFinding]:
    if gpu.is_retirement_pending:
        yield CardFinding("memory-repair-pending", f"pages or rows of {gpu.address} wait for a reset to be replaced")
    if gpu.is_repair_pending:
        what = f"a memory channel or a TPC of {gpu.address} waits for a reset to be repaired"
        yield CardFinding("memory-repair-pending", what)


def _errors(gpu: Gpu) -> Iterator[CardFinding]:
    counts = {name: count for name, count in gpu.uncorrectable_errors.items() if count and "Volatile" in name}
    if counts:
        yield CardFinding("uncorrected-memory-errors", f"{gpu.address} counted: {counts}")


def _recovery(gpu: Gpu) -> Iterator[CardFinding]:
    action = gpu.recovery_action
    if action is not None:
        wording = next((name for word, name in RECOVERIES if word in action.lower()), "")
        yield CardFinding(f"card-needs-a-reset{wording}", f"GPU Recovery Action of {gpu.address}: {action}")
    elif gpu.is_reset_required:
        yield CardFinding(
            "card-needs-a-reset", f"GPU Reset Status of {gpu.address}: a reset is required or recommended"
        )


def _fabric(gpu: Gpu) -> Iterator[CardFinding]:
    trouble = gpu.fabric_trouble
    if trouble is not None:
        yield CardFinding("fabric-not-ready", f"Fabric of {gpu.address}: {trouble}")


def _partitions(gpu: Gpu) -> Iterator[CardFinding]:
    if gpu.is_mig_on:
        yield CardFinding("card-is-partitioned", f"MIG Mode of {gpu.address} is enabled")


def _protection(gpu: Gpu) -> Iterator[CardFinding]:
    try:
        now, later = gpu.is_ecc_on, gpu.is_ecc_pending
    except ToolFailure:
        return
    if now is False:
        yield CardFinding("error-correction-off", f"memory of {gpu.address} is not protected")
    elif later is False:
        yield CardFinding("error-correction-off", f"memory of {gpu.address} is not protected from its next reset on")


_QUESTIONS: tuple[Callable[[Gpu], Iterator[CardFinding]], ...] = (
    _sensors,
    _memory,
    _recovery,
    _repairs,
    _errors,
    _fabric,
    _partitions,
)

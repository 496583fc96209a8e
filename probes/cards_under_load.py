"""What each GPU does while data are copied to it: only then its link runs at full speed and only then it throttles."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from access.errors import ParseError, ToolFailure, ToolMissing
from access.host import Host, output_of
from probes import bandwidth_sample, nvbandwidth_run
from probes.cuda_samples import IN_BUS_ORDER, path_of
from probes.nvidia_smi import query
from probes.pci_address import PciAddress

SAMPLES = 3
INTERVAL_S = 0.4
TIMEOUT_S = 300.0
LOADS = {
    bandwidth_sample.TOOL: "--device=all --htod --mode=range --start=256000000 --end=512000000 --increment=256000000",
    nvbandwidth_run.TOOL: "-t host_to_device_memcpy_ce",
}
"""What keeps the links busy, in the order of preference; repeated until all samples are taken."""
WATCH = (
    'flag=$(mktemp) && {{ (while [ -e "$flag" ]; do {load}; done) >/dev/null 2>&1 & '
    'for n in $(seq {samples}); do sleep {interval}; nvidia-smi -q; done; rm -f "$flag"; wait; }}'
)
HARMLESS = ("Idle", "Applications Clocks Setting", "Display Clock Setting", "Sync Boost")
"""Reasons of lower clocks that say nothing against a card or its cooling.

https://docs.nvidia.com/deploy/nvml-api/group__nvmlClocksEventReasons.html
"""
TITLE = "==============NVSMI LOG=============="


@dataclass(frozen=True)
class LoadedCard:
    """One GPU under load, of several samples: the best link, every reason of lower clocks. None: it does not tell."""

    address: PciAddress
    link_generation: int | None
    link_width: int | None
    throttle_reasons: tuple[str, ...]
    """Why its clocks were held down, e.g. ("HW Thermal Slowdown",); without harmless ones."""
    temperature_c: float | None


def parse(text: str) -> dict[PciAddress, LoadedCard]:
    """Read several answers of `nvidia-smi -q`, one below the other.

    Raises:
        ParseError: none, or one of another shape.
    """
    answers = [TITLE + rest for rest in text.split(TITLE)[1:]]
    if not answers:
        raise ParseError("nvidia-smi -q", "no answer under load", line=text[:200])
    samples: dict[PciAddress, list[query.Gpu]] = {}
    for answer in answers:
        for gpu in query.parse(answer).gpus:
            samples.setdefault(gpu.address, []).append(gpu)
    return {address: _card(address, seen) for address, seen in samples.items()}


def _card(address: PciAddress, seen: list[query.Gpu]) -> LoadedCard:
    reasons = {reason for gpu in seen for reason in _told(gpu, "active_throttle_reasons") or ()}
    return LoadedCard(
        address,
        _best(_told(gpu, "link_generation_now") for gpu in seen),
        _best(_told(gpu, "link_width_now") for gpu in seen),
        tuple(sorted(reasons - set(HARMLESS))),
        _best(_told(gpu, "temperature_c") for gpu in seen),
    )


def _told(gpu: query.Gpu, name: str) -> Any:
    """What the driver tells, None for what it could not read: another check judges that."""
    try:
        return getattr(gpu, name)
    except ToolFailure:
        return None


def _best(values: Iterable[Any]) -> Any:
    return max((value for value in values if value is not None), default=None)


def read(host: Host) -> dict[PciAddress, LoadedCard]:
    """All GPUs of `host`, while each is copied to.

    Raises:
        ToolMissing: no program that copies, or no nvidia-smi.
    """
    command = WATCH.format(load=f"{IN_BUS_ORDER} {_load(host)}", samples=SAMPLES, interval=INTERVAL_S)
    return parse(output_of(host, command, timeout_s=TIMEOUT_S).stdout)


def _load(host: Host) -> str:
    names = list(LOADS)
    for name in names[:-1]:
        try:
            return f"{path_of(host, name)} {LOADS[name]}"
        except ToolMissing:
            continue
    return f"{path_of(host, names[-1])} {LOADS[names[-1]]}"

"""From the copies of one machine's cards to what is judged and recorded: models, bands and measurements."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from access.errors import NotVerified, ToolFailure
from cloud_file.cloud import Cloud
from cloud_file.sections.tenant import DeclaredGuest
from judging.bare_metal import BareMetal
from judging.copies import DIRECTIONS, MeasuredCard, is_to_be_repeated, worst_of
from judging.pairs import Pair, pairs_of
from judging.pairs import findings as pair_findings
from judging.records import Measurement
from judging.verdicts import require
from probes.copy_runs import CopyRuns, PairRuns
from probes.device_query import Device
from probes.nvidia_smi.query import Gpu
from probes.references import GpuModel
from probes.references.bands import Band, band

HOW_TO_SAY = "say in the cloud file what it is, gpus[].facts: {name: …, architecture: …} (docs/cloud-file.md)"
"""What makes a card judged that the reference data do not know."""
VIRTUALISATION = tuple(f"GPU Virtualization Mode/Virtualization {word}" for word in ("Mode", "mode"))


def expected_models(cloud: Cloud, guest: DeclaredGuest) -> list[GpuModel]:
    """Model of each declared card.

    Raises:
        NotVerified: neither the reference data nor the cloud file know one.
    """
    keys = [expected.model for expected in cloud.gpus_of(guest.flavor) for _ in range(expected.count)]
    found = {key: cloud.reference(key) for key in keys}
    unknown = sorted(key for key, model in found.items() if model is None)
    if unknown:
        raise NotVerified(f"not known: {', '.join(unknown)}\n  what to do: {HOW_TO_SAY}")
    return [model for key in keys if (model := found[key]) is not None]


def models_of(devices: Sequence[Device], expected: Sequence[GpuModel]) -> list[GpuModel]:
    """The declared model of each device that CUDA sees, by its name.

    Raises:
        Rejected: CUDA sees other cards, or another number.
    """
    left = list(expected)
    found = [next((model for model in left if model.is_named(device.name)), None) for device in devices]
    named = [model for model in found if model is not None]
    shown = [device.name for device in devices]
    require(
        len(named) == len(devices) == len(expected) and sorted(m.model for m in named) == sorted(m.model for m in left),
        "cuda-sees-other-cards",
        f"CUDA sees {shown}, expected are {[model.name for model in expected]}",
    )
    return named


def is_virtualised(gpu: Gpu, cloud: Cloud) -> bool:
    """Whether the driver finds itself in an instance; where it does not tell, whether the machine is one of a cloud."""
    try:
        mode = gpu.text(*VIRTUALISATION)
    except ToolFailure:
        mode = None
    return cloud.has_openstack if mode is None else mode != "None"


def are_steady(copied: CopyRuns, expected: Sequence[GpuModel]) -> bool:
    """Whether the runs differ so little that no further one is needed.

    Raises:
        Rejected: CUDA sees other cards than expected.
    """
    return not is_to_be_repeated(measured_cards(copied, expected))


def measured_cards(copied: CopyRuns, expected: Sequence[GpuModel]) -> list[MeasuredCard]:
    """Every card with its figures, and what it did under load.

    Raises:
        Rejected: CUDA sees other cards than expected.
    """
    models = models_of(copied.devices, expected)
    return [
        MeasuredCard(
            device.index,
            model,
            {direction: tuple(run[device.index][direction] for run in copied.gb_per_s) for direction in DIRECTIONS},
            worst_of(look.get(device.address) if device.address else None for look in copied.looks),
        )
        for device, model in zip(copied.devices, models, strict=True)
    ]


def measured_pairs(copied: PairRuns, expected: Sequence[GpuModel]) -> list[Pair]:
    """Every two cards with their figures.

    Raises:
        Rejected: the matrix is of other cards than expected.
    """
    models = _models_of_names([device.name for device in copied.runs[0].devices], expected)
    return pairs_of(copied.runs, models, copied.topology)


def are_good(copied: PairRuns, expected: Sequence[GpuModel], band_of: Callable[[Pair, str], Band]) -> bool:
    """Whether nothing is to be said against these pairs, so that they need no further run.

    Raises:
        Rejected: the matrix is of other cards than expected.
    """
    return not pair_findings(measured_pairs(copied, expected), band_of)


def _models_of_names(names: Sequence[str], expected: Sequence[GpuModel]) -> list[GpuModel]:
    found = [next((model for model in expected if model.is_named(name)), None) for name in names]
    known = [model for model in found if model is not None]
    require(
        len(known) == len(names) == len(expected),
        "cuda-sees-other-cards/matrix",
        f"the matrix is of {list(names)}, expected are {[model.name for model in expected]}",
    )
    return known


class Bands:
    """What is accepted in one cloud: the reference data, with the cloud file's own figures over them."""

    def __init__(self, cloud: Cloud, *, virtualised: bool) -> None:
        self.cloud = cloud
        self.virtualised = virtualised

    def of_card(self, model: GpuModel, metric: str) -> Band:
        """The band of one card's copies, e.g. of bandwidth.h2d."""
        return self._own(model, band(model, metric, virtualised=self.virtualised), metric)

    def of_pair(self, pair: Pair, kind: str) -> Band:
        """The band of copies between two cards; `kind` is bandwidth or latency."""
        metric = f"{kind}.{pair.way}"
        known = band(pair.model, metric, virtualised=self.virtualised, nvlinks=pair.nvlinks)
        return self._own(pair.model, known, metric, f"{kind}.p2p")

    def _own(self, model: GpuModel, known: Band, *metrics: str) -> Band:
        for metric in metrics:
            own = self.cloud.threshold(metric, model.model)
            if own is not None:
                before = known.minimum if known.minimum is not None else known.maximum
                source = f"cloud file: {own.reason} (reference: {before}; {known.source or 'no observation'})"
                return replace(known, metric=metric, minimum=own.minimum, maximum=own.maximum, source=source)
        return known


def card_measurements(
    host: str, cards: Iterable[MeasuredCard], bands: Bands, bare_metal: BareMetal
) -> list[Measurement]:
    """Every run of every card and direction."""
    return [
        _measurement(f"bandwidth.{direction}", value, host, str(card.device), number, bands, card.model, bare_metal)
        for card in cards
        for direction in DIRECTIONS
        for number, value in enumerate(card.gb_per_s[direction], start=1)
    ]


def _measurement(
    metric: str, value: float, host: str, device: str, repetition: int, bands: Bands, model: GpuModel, bare: BareMetal
) -> Measurement:
    accepted = bands.of_card(model, metric)
    return Measurement(
        metric,
        value,
        "GB/s",
        host,
        device,
        repetition,
        accepted.minimum,
        accepted.maximum,
        accepted.source,
        bare_metal=bare.median(metric, model.model),
    )


def pair_measurements(host: str, pairs: Iterable[Pair], bands: Bands, bare: BareMetal) -> list[Measurement]:
    """Every run of every pair: bandwidth and latency."""
    made = []
    for pair in pairs:
        for kind, unit, values in (("bandwidth", "GB/s", pair.gb_per_s), ("latency", "us", pair.latency_us)):
            accepted, metric = bands.of_pair(pair, kind), f"{kind}.{pair.way}"
            made += [
                Measurement(
                    metric,
                    value,
                    unit,
                    host,
                    pair.name,
                    number,
                    accepted.minimum,
                    accepted.maximum,
                    accepted.source,
                    bare_metal=bare.median(metric, pair.model.model),
                )
                for number, value in enumerate(values, start=1)
            ]
    return made

"""List what is known of every GPU model, each figure with its source, and which figures are accepted.

    PYTHONPATH=. python scripts/list_gpus.py > docs/gpus.md

Made of probes/references; a test fails when docs/gpus.md is stale.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import fill

from probes.references import NVIDIA_VENDOR_ID, GpuModel, Source, gpu_models, sources
from probes.references.bands import LATENCY_SLACK, METRICS, SLACK, VIRTUALISED_SHARE, band, observations

MADE_BY = "<!-- Made by scripts/list_gpus.py from probes/references; do not edit. -->"
WIDTH = 120
IDENTITY = {
    "named by the driver": "name",
    f"PCI product ids ({NVIDIA_VENDOR_ID}:)": "product_ids",
    "compute capability": "compute_capability",
    "memory, GiB": "memory_gib",
    "SR-IOV (Nova)": "sriov",
    "kernel modules": "kernel_modules",
    "first driver branch": "first_driver_branch",
    "last driver branch": "last_driver_branch",
    "first CUDA": "first_cuda",
    "last CUDA": "last_cuda_major",
}
PHYSICS = {
    "PCIe generation": "link_generation",
    "lanes": "link_width",
    "memory, GB/s": "memory_gb_per_s",
    "NVLinks": "nvlinks",
    "one NVLink, GB/s": "nvlink_gb_per_s",
}
COPIES = {"H2D": "bandwidth.h2d", "D2H": "bandwidth.d2h", "D2D": "bandwidth.d2d"}
BETWEEN = {
    "NVLink": "p2p_nvlink",
    "P2P below one root": "p2p_same_root",
    "through the host": "p2p_through_host",
}


def document() -> str:
    """The whole page."""
    models = list(gpu_models().values())
    parts = [MADE_BY, *_what_is_known(models), *_what_is_accepted(models), *_where_it_comes_from()]
    return "\n\n".join(parts) + "\n"


def _what_is_known(models: Sequence[GpuModel]) -> list[str]:
    return [
        "# GPU models",
        _paragraph(
            "The number behind a figure is its source, listed at the end. A figure that no source tells is left "
            "out, and a check that needs it says *not verified*. The data are in `probes/references`; add a figure "
            "there, with its source."
        ),
        "## Identity",
        "type-PF: the card has an SR-IOV capability, and Nova tracks it as `type-PF`; type-PCI: it has none.",
        _figures(models, IDENTITY),
        "## Link and memory",
        "They give the ceilings: a measured value above one is refused as no measurement.",
        _figures(models, PHYSICS),
    ]


def _what_is_accepted(models: Sequence[GpuModel]) -> list[str]:
    head = ["model", *(f"{name}, {where}" for where in ("bare metal", "instance") for name in COPIES)]
    copies = [
        [model.model, *(_copy(model, metric, inside) for inside in (False, True) for metric in COPIES.values())]
        for model in models
    ]
    pairs = [[model.model, *(_pair(model, kind) for kind in BETWEEN.values())] for model in models]
    return [
        "## How copies are judged",
        _paragraph(
            "Every card is measured three times in every direction, and its link and clocks are read while it copies. "
            "A card is slow if at least half of its runs are below the minimum, or if it reaches less than 80 % of an "
            "equal card; so one noisy sample fails no card, and an idle link at generation 1 is no fault. The cause is "
            "named: `link-trained-narrow`, `link-low-generation-under-load`, `throttling`, `slow-memory`, "
            "`wrong-socket` (slower than an equal card over an equal link), `slow-link`; between cards "
            "`p2p-not-exposed` and `slow-between-cards`."
        ),
        "## Accepted copies of one card, GB/s",
        _paragraph(
            f"The minimum, then the ceiling. A minimum is {SLACK:.0%} of the lowest value that was observed on a "
            "machine "
            "in good order: of this model if there is one, else of models with a link of the same generation (D2D: of "
            "all models), scaled by the ceiling. In an instance a link carries "
            f"{VIRTUALISED_SHARE:.0%} where nothing was observed in one. –: not verified unless the cloud file "
            "says what "
            "is good."
        ),
        _table(head, copies),
        "## Accepted copies between two cards",
        _paragraph(
            f"The minimum in GB/s, the maximum in us ({LATENCY_SLACK:g} times the highest that was observed). "
            "NVLink: as many between the two as the model has; for fewer the minimum is scaled. In brackets: in an "
            "instance."
        ),
        _table(["model", *BETWEEN], pairs),
        "## Metrics",
        _paragraph(
            "Names for `thresholds` in a cloud file (minimum in GB/s, maximum in us, always with a reason): "
            + ", ".join(f"`{metric}`" for metric in METRICS)
            + ". `p2p` alone means every pair, whatever its path: with it, pairs without P2P are refused if they are "
            "too slow."
        ),
    ]


def _where_it_comes_from() -> list[str]:
    head = ["metric", "model", "NVLinks", "where", "lowest", "highest"]
    observed = [
        [
            seen.metric,
            seen.model,
            str(seen.nvlinks or ""),
            _where(seen.virtualised),
            f"{seen.lowest:g}",
            f"{seen.highest:g} {_reference(seen.source)}",
        ]
        for seen in observations()
    ]
    return [
        "## Observed runs",
        _table(head, observed),
        "## Sources",
        "\n".join(f"{number}. {_linked(source)}" for number, source in enumerate(sources().values(), start=1)),
    ]


def _paragraph(text: str) -> str:
    return fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _figures(models: Iterable[GpuModel], columns: dict[str, str]) -> str:
    rows = [[model.model, *(_figure(model, figure) for figure in columns.values())] for model in models]
    return _table(["model", *columns], rows)


def _figure(model: GpuModel, figure: str) -> str:
    source = model.source(figure)
    return f"{_shown(model, figure)} {_reference(source)}" if source else ""


def _shown(model: GpuModel, figure: str) -> str:
    value = getattr(model, figure)
    if figure == "sriov":
        return str(model.device_type)
    if isinstance(value, tuple):
        return ", ".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _copy(model: GpuModel, metric: str, virtualised: bool) -> str:
    found = band(model, metric, virtualised=virtualised)
    ceiling = f" (≤ {found.ceiling:.1f})" if found.ceiling else ""
    return ("–" if found.minimum is None else f"{found.minimum:g}") + ceiling


def _pair(model: GpuModel, kind: str) -> str:
    cells = []
    for virtualised in (False, True):
        speed = band(model, f"bandwidth.{kind}", virtualised=virtualised, nvlinks=None)
        delay = band(model, f"latency.{kind}", virtualised=virtualised, nvlinks=None)
        if kind == "p2p_nvlink" and not model.nvlinks:
            return ""
        cells.append(f"{_or_dash(speed.minimum)} GB/s, {_or_dash(delay.maximum)} us")
    return cells[0] if cells[0] == cells[1] else f"{cells[0]} ({cells[1]})"


def _or_dash(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"


def _where(virtualised: bool | None) -> str:
    return {None: "not told", True: "instance", False: "bare metal"}[virtualised]


def _reference(source: str) -> str:
    return f"[{[str(known) for known in sources().values()].index(source) + 1}]"


def _linked(source: Source) -> str:
    """A page, or a sample of this project by its path from docs/."""
    return f"[{source.title}]({source.address if '://' in source.address else f'../{source.address}'})"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    print(document(), end="")

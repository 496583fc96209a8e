"""Figures of a cloud file that differ from the reference data: tighter or laxer, always with a reason."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints

from access.endpoint import Section
from cloud_file.reading import Location
from cloud_file.shapes import entries, mapping, text
from probes.references import gpu_models
from probes.references.bands import METRICS, ceiling_of

Figure = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]


class Threshold(Section):
    """One figure; GB/s, or us for a latency."""

    minimum: Figure | None = None
    """The least that is good, for bandwidths."""
    maximum: Figure | None = None
    """The most that is good, for latencies."""
    model: str | None = None
    """A GPU model of the file; without it all models."""
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    """Why this cloud differs; stands in every record that rests on it."""


def _several(value: Any) -> Any:
    return [value] if isinstance(value, Mapping) else value


Thresholds = Mapping[str, Annotated[tuple[Threshold, ...], BeforeValidator(_several)]]
"""By metric: one threshold, or a list with one for each model."""


def threshold_of(thresholds: Thresholds, metric: str, model: str) -> Threshold | None:
    """The threshold of a metric: the model's own before that of all models."""
    fitting = [threshold for threshold in thresholds.get(metric, ()) if threshold.model in (None, model)]
    return next((threshold for threshold in fitting if threshold.model), fitting[0] if fitting else None)


def threshold_mistakes(raw: Mapping[str, Any]) -> Iterator[tuple[Location, str]]:
    """Unknown metrics and models, thresholds that say nothing, and ones that no card can reach."""
    thresholds = mapping(raw, "thresholds")
    for metric, given in thresholds.items():
        here: Location = ("thresholds", metric)
        if metric not in METRICS:
            close = difflib.get_close_matches(str(metric), METRICS, n=1)
            yield here, f"no such metric{f'; did you mean {close[0]}?' if close else ''} Known: {', '.join(METRICS)}"
            continue
        if isinstance(given, Mapping):
            yield from ((here, said) for said in _entry_mistakes(metric, given, raw))
        for index, entry in entries(thresholds, metric):
            yield from (((*here, index), said) for said in _entry_mistakes(metric, entry, raw))


def _entry_mistakes(metric: str, entry: Mapping[str, Any], raw: Mapping[str, Any]) -> Iterator[str]:
    wanted, other = ("maximum", "minimum") if metric.startswith("latency") else ("minimum", "maximum")
    if entry.get(wanted) is None or entry.get(other) is not None:
        yield f"{metric} takes a {wanted}"
    used = _models(raw)
    model = text(entry, "model")
    if model is not None and model not in used:
        yield f"{model[:80]!r} is no GPU model of this file"
    minimum = entry.get("minimum")
    for key in [model] if model else used:
        known = gpu_models().get(key)
        ceiling = ceiling_of(known, metric) if known and metric != "bandwidth.p2p" else None
        if isinstance(minimum, int | float) and ceiling is not None and minimum > ceiling:
            yield f"no {key} can reach {minimum:g} GB/s: it can do {ceiling:.1f} at most"


def _models(raw: Mapping[str, Any]) -> list[str]:
    listed = [gpu for _, host in entries(raw, "hosts") for _, gpu in entries(host, "gpus")]
    listed += [gpu for _, gpu in entries(raw, "gpus")]
    return sorted({model for gpu in listed if (model := text(gpu, "model"))})

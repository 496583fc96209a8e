"""The bare-metal side of a ratio: figures of a run on machines of kind host, by metric and model."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field


@dataclass(frozen=True)
class BareMetal:
    """Medians of a run; nothing where no run is named."""

    values: dict[tuple[str, str], tuple[float, ...]] = field(default_factory=dict)
    """By metric and model."""

    def median(self, metric: str, model: str) -> float | None:
        """Of all cards and runs of that model; None where it was not measured."""
        values = self.values.get((metric, model))
        return statistics.median(values) if values else None

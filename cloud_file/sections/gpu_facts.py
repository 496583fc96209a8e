"""What the operator knows of a GPU model that the reference data do not have."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints

from access.endpoint import Section
from cloud_file.sections.values import Line, Positive
from probes.references import GpuModel, Source
from probes.references.architectures import architectures, figures_of_models

ORIGIN = Source("the cloud file", "gpus[].facts")
Rate = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]


def _known(name: str) -> str:
    if name not in architectures():
        raise ValueError(f"no such architecture; known: {', '.join(sorted(architectures()))}")
    return name


class GpuFacts(Section):
    """Facts of one model, in the words and units of the reference data (docs/gpus.md), which they complete.

    Of a model that is not there, name and architecture are enough for it to be judged.
    """

    name: Line | None = None
    """As nvidia-smi prints it, with or without the brand."""
    architecture: Annotated[str, AfterValidator(_known)] | None = None
    """One of probes/references/architectures.yaml: it tells drivers, kernel modules and CUDA."""
    compute_capability: Annotated[str, StringConstraints(pattern=r"^\d{1,2}\.\d$")] | None = None
    memory_gib: Positive | None = None
    memory_gb_per_s: Rate | None = None
    link_generation: Annotated[int, Field(ge=1, le=9, strict=True)] | None = None
    link_width: Literal[1, 2, 4, 8, 16, 32] | None = None
    nvlinks: Positive | None = None
    nvlink_gb_per_s: Rate | None = None
    """One NVLink in one direction."""
    kernel_modules: Annotated[tuple[Literal["proprietary", "open"], ...], Field(min_length=1)] | None = None
    first_driver_branch: Positive | None = None

    def completed(self, known: GpuModel) -> GpuModel:
        """A model of the reference data with the facts that those lack."""
        given = {name: value for name, value in self._given().items() if getattr(known, name) in (None, ())}
        sources = {**known.sources, **dict.fromkeys(given, ORIGIN)}
        return replace(known, **given, sources=sources)

    def described(self, key: str, product_id: str, device_type: str) -> GpuModel | None:
        """The model that they describe; what they leave out its architecture tells, or nobody. None if too few."""
        if self.name is None or self.architecture is None:
            return None
        common = {name: value for name, (value, _) in figures_of_models(self.architecture).items()}
        figures = {name: tuple(value) if isinstance(value, list) else value for name, value in common.items()}
        given = self._given()
        return GpuModel(
            model=key,
            product_ids=(product_id,),
            sriov=None if device_type == "type-VF" else device_type == "type-PF",
            sources=dict.fromkeys(given, ORIGIN),
            **{**figures, **given},
        )

    def _given(self) -> dict[str, Any]:
        return self.model_dump(exclude_none=True)

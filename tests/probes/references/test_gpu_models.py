"""Every figure of the reference data has a source, and the data agree with what the lab simulates."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from probes.references import GpuModel, gpu_models, model_named, sources

REPOSITORY = Path(__file__).resolve().parents[3]
MODELS = sorted(gpu_models())
LAB_MODELS = yaml.safe_load((REPOSITORY / "lab" / "hosts" / "hardware" / "models.yaml").read_text())
KEYS = ("model", "architecture", "sources")
"""Of our own making: no figure."""


@pytest.mark.parametrize("key", MODELS)
def test_every_figure_has_a_source(key: str) -> None:
    """Each known figure of a model has a source, and no source is without a figure."""
    model = gpu_models()[key]
    figures = [each.name for each in fields(GpuModel) if each.name not in KEYS]
    known = [name for name in figures if getattr(model, name) not in (None, ())]

    assert [name for name in known if not model.source(name)] == []
    assert [name for name in model.sources if name not in known] == []


def test_every_source_has_a_title_and_an_address_and_is_used() -> None:
    """Each source leads to a page or a sample, and some figure uses it."""
    used = {str(source) for model in gpu_models().values() for source in model.sources.values()}
    observed = yaml.safe_load((REPOSITORY / "probes" / "references" / "observations.yaml").read_text())
    used |= {str(sources()[entry["source"]]) for entry in observed}

    assert [key for key, source in sources().items() if not source.title or not _is_there(source.address)] == []
    assert [key for key, source in sources().items() if str(source) not in used] == []


def _is_there(address: str) -> bool:
    """A page, or what a tool said in a measurement of our own."""
    return address.startswith("https://") or (REPOSITORY / address).is_file()


@pytest.mark.parametrize("key", MODELS)
def test_figures_are_possible(key: str) -> None:
    """Ids, links, branches and compute capabilities have values that can occur."""
    model = gpu_models()[key]

    assert all(re.fullmatch("[0-9a-f]{4}", product_id) for product_id in model.product_ids)
    assert model.link_width in (None, 1, 4, 8, 16)
    assert (model.link_generation is None) == (model.link_width is None)
    assert (model.nvlinks is None) == (model.nvlink_gb_per_s is None)
    assert set(model.kernel_modules) <= {"proprietary", "open"}
    assert model.last_driver_branch is None or model.last_driver_branch > (model.first_driver_branch or 0)
    assert model.compute_capability is None or re.fullmatch(r"\d+\.\d", model.compute_capability)


def test_no_name_means_two_models() -> None:
    """Each name of a driver leads to exactly one model."""
    names = [name for model in gpu_models().values() for name in (model.name, *model.other_names)]

    assert len(names) == len(set(names))
    assert {name: model_named(name) for name in names} == {
        name: model for model in gpu_models().values() for name in (model.name, *model.other_names)
    }


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Tesla T4", "T4"),
        ("NVIDIA T4", "T4"),
        ("A100-PCIE-40GB", "A100-PCIE-40GB"),
        ("NVIDIA A100-PCIE-40GB", "A100-PCIE-40GB"),
        ("NVIDIA H100 PCIe", "H100-PCIE-80GB"),
    ],
)
def test_drivers_name_one_model_differently(name: str, key: str) -> None:
    """Brands, which drivers write differently, do not change the model."""
    found = model_named(name)

    assert found is not None
    assert found.model == key


def test_a_similar_name_is_another_model() -> None:
    """A name that only resembles a known one is another model, or unknown."""
    assert model_named("NVIDIA L4") != model_named("NVIDIA L40")
    assert model_named("NVIDIA A100-PCIE-48GB") is None


@pytest.mark.parametrize("key", sorted(LAB_MODELS))
def test_the_lab_simulates_the_model_that_the_references_describe(key: str) -> None:
    """Where both speak; a figure that is absent here is no disagreement."""
    simulated, known = LAB_MODELS[key], gpu_models()[key]

    assert known.is_named(simulated["name"])
    assert simulated["product_id"] in known.product_ids
    assert simulated["architecture"] == known.architecture
    assert known.compute_capability in (None, simulated["compute_capability"])
    assert known.sriov in (None, simulated["sriov"])
    assert known.link_generation in (None, simulated["link"]["generation"])
    assert known.link_width in (None, simulated["link"]["width"])
    assert known.memory_gib is None or 0.88 * known.memory_gib <= simulated["memory_mib"] / 1024 <= known.memory_gib
    assert known.memory_gb_per_s is None or simulated["d2d_gb_per_s"] < known.memory_gb_per_s


def test_the_page_about_models_is_not_stale() -> None:
    """docs/gpus.md is what its script prints today."""
    script = REPOSITORY / "scripts" / "list_gpus.py"
    made = subprocess.run(
        [sys.executable, str(script)], env={"PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True, check=True
    ).stdout

    assert (REPOSITORY / "docs" / "gpus.md").read_text() == made, (
        "make it again: PYTHONPATH=. python scripts/list_gpus.py > docs/gpus.md"
    )

"""Models that the reference data do not know: what the cloud file says of them is enough to accept a cloud."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from access.errors import InputError, NotVerified
from cloud_file.cloud import Cloud
from cloud_file.loading import CLOUDS_DIRECTORY, load
from judging.measuring import Bands, expected_models
from probes.references import gpu_models

FACTS = {
    "name": "NVIDIA GeForce RTX 5090",
    "architecture": "blackwell",
    "compute_capability": "12.0",
    "memory_gib": 32,
    "link_generation": 5,
    "link_width": 16,
}


def _cloud(folder: Path, model: str, **gpu: Any) -> Cloud:
    """The example of an existing cloud with cards of one model."""
    text = (CLOUDS_DIRECTORY / "examples" / "existing.yaml").read_text(encoding="utf-8")
    content = yaml.safe_load(text.replace("A100-PCIE-40GB", model))
    content["gpus"] = [{"model": model, "product_id": "2b85", "device_type": "type-PCI", **gpu}]
    file = folder / "cloud.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return load(str(file))


@pytest.mark.parametrize("model", ["RTX-5090", "RTX-PRO-7000-X", "B400", "X1", "H20-200GB"])
def test_a_model_that_nobody_has_heard_of_is_judged_by_its_facts(model: str, tmp_path: Path) -> None:
    """Its architecture tells drivers and modules, its link the ceiling of its copies."""
    cloud = _cloud(tmp_path, model, facts=FACTS)
    (known,) = expected_models(cloud, cloud.guests[0])
    ours = gpu_models()["B200"]

    assert (known.model, known.product_ids, known.sriov) == (model, ("2b85",), False)
    assert known.is_named("GeForce RTX 5090")
    assert known.kernel_modules == ours.kernel_modules == ("open",)
    assert (known.first_driver_branch, known.first_cuda) == (ours.first_driver_branch, ours.first_cuda)
    assert "cloud file" in known.source("memory_gib")
    band = Bands(cloud, virtualised=True).of_card(known, "bandwidth.h2d")
    assert band.ceiling is not None
    assert 60 < band.ceiling < 64


def test_without_facts_nothing_is_verified_and_it_says_how(tmp_path: Path) -> None:
    """The file loads all the same: what needs no figure is checked."""
    cloud = _cloud(tmp_path, "RTX-5090")

    with pytest.raises(NotVerified, match=r"not known: RTX-5090(.|\n)*gpus\[\].facts"):
        expected_models(cloud, cloud.guests[0])


def test_facts_fill_in_what_the_reference_data_leave_out(tmp_path: Path) -> None:
    """What they have holds, whatever the file says."""
    ours = gpu_models()["GB200"]
    assert ours.memory_gib is None
    cloud = _cloud(tmp_path, "GB200", facts={"memory_gib": 186, "compute_capability": "1.0"})
    known = cloud.reference("GB200")

    assert known is not None
    assert (known.memory_gib, known.compute_capability) == (186, ours.compute_capability)
    assert "cloud file" not in known.source("compute_capability")


@pytest.mark.parametrize("model", sorted(gpu_models()))
def test_no_known_model_keeps_a_cloud_from_being_accepted(model: str, tmp_path: Path) -> None:
    """Whatever figure of it is missing can be said in the file."""
    cloud = _cloud(tmp_path, model, facts={key: FACTS[key] for key in FACTS if key not in ("name", "architecture")})
    known = cloud.reference(model)

    assert known is not None
    assert None not in (known.compute_capability, known.memory_gib, known.link_generation, known.link_width)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"name": "X"}, "needs architecture"),
        ({"memory_gib": 32}, "needs name and architecture"),
        ({**FACTS, "architecture": "blackwel"}, "no such architecture; known: ada"),
        ({**FACTS, "link_width": 12}, "link_width"),
        ({**FACTS, "memory_gib": -1}, "memory_gib"),
        ({**FACTS, "speed": 1}, "speed"),
        ({**FACTS, "kernel_modules": []}, "kernel_modules"),
    ],
)
def test_facts_that_say_too_little_or_nonsense_are_refused(facts: dict[str, Any], message: str, tmp_path: Path) -> None:
    """With the line, before anything is touched."""
    with pytest.raises(InputError, match=message):
        _cloud(tmp_path, "RTX-5090", facts=facts)

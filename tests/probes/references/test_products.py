"""Models, products and architectures agree with each other and with what preflight says of a driver."""

from __future__ import annotations

from pathlib import Path

import pytest

from preflight.cli import inspect
from preflight.rules.driver_and_toolkit import OPEN, PROPRIETARY
from probes.references import gpu_models
from probes.references.architectures import architectures
from probes.references.products import architecture_of, is_listed_completely, listed_products, nvidia_products

REPOSITORY = Path(__file__).resolve().parents[3]
REFERENCES = REPOSITORY / "probes" / "references"
MODELS = sorted(gpu_models())
PACKAGES = {"proprietary": "nvidia-driver:580-dkms", "open": "nvidia-driver:580-open"}
DEPLOYMENT = """parameter_defaults:
  NovaPCIPassthrough:
    - {{vendor_id: "10de", product_id: "{product_id}"}}
"""


@pytest.mark.parametrize("key", MODELS)
def test_pci_ids_and_the_references_tell_the_same_architecture(key: str) -> None:
    """Each PCI id of a model stands in pci.ids, as a chip of its architecture; only the newest may be missing."""
    model = gpu_models()[key]

    for product_id in model.product_ids:
        name = listed_products().get(product_id)
        assert architecture_of(name) == model.architecture if name else not is_listed_completely(product_id)
        assert nvidia_products()[product_id].architecture == model.architecture


def test_every_file_of_models_is_of_a_known_architecture() -> None:
    """A file of models is named like an architecture; only Fermi, which preflight alone knows, has no models."""
    files = {file.stem for file in (REFERENCES / "models").glob("*.yaml")}

    assert files == set(architectures()) - {"fermi"}


def test_no_two_architectures_share_the_names_of_chips() -> None:
    """A chip's name leads to one architecture."""
    chips = [entry.chips for entry in architectures().values()]

    assert len(chips) == len(set(chips))


@pytest.mark.parametrize("key", MODELS)
def test_a_model_has_the_figures_of_its_architecture(key: str) -> None:
    """Preflight, which knows the architecture, and the suites, which know the model, judge a driver alike."""
    model = gpu_models()[key]
    architecture = architectures()[model.architecture]

    assert model.kernel_modules == architecture.kernel_modules
    assert model.last_driver_branch == architecture.last_driver_branch
    assert (model.first_cuda, model.last_cuda_major) == (architecture.first_cuda, architecture.last_cuda_major)
    assert (model.first_driver_branch or 0) >= architecture.first_driver_branch


@pytest.mark.parametrize("name", ["architectures.yaml", "cuda.yaml", "nvidia_products.yaml"])
def test_facts_about_gpus_have_one_home(name: str) -> None:
    """No second file of that name holds them."""
    found = [
        path
        for room in ("preflight", "probes", "judging", "cloud_file")
        for path in REPOSITORY.glob(f"{room}/**/{name}")
        if path.parent.name != "causes"  # of a check's failure, by the check's layer
    ]

    assert found == [REFERENCES / name]


@pytest.mark.parametrize("key", MODELS)
@pytest.mark.parametrize("flavour", PACKAGES)
def test_preflight_finds_the_kernel_module_that_a_card_does_not_take(key: str, flavour: str, tmp_path: Path) -> None:
    """What the suites reject after the deploy, `open` on Pascal or `proprietary` on Blackwell, is found before it."""
    model = gpu_models()[key]
    (tmp_path / "env.yaml").write_text(DEPLOYMENT.format(product_id=model.product_id))
    (tmp_path / "image.sh").write_text(f"#!/bin/bash\nset -e\ndnf module install -y {PACKAGES[flavour]}\n")

    found = {finding.code for finding in inspect([tmp_path], "wallaby")[1]} & {"GP708", "GP718"}

    assert bool(found) == (flavour not in model.kernel_modules)


@pytest.mark.parametrize(
    ("text", "flavour"),
    [
        ("dnf module install -y nvidia-driver:580-dkms", "proprietary"),
        ("dnf module install -y nvidia-driver:latest-dkms", "proprietary"),
        ("dnf module enable nvidia-driver:580", "proprietary"),
        ("apt-get install -y nvidia-driver-580-server", "proprietary"),
        ("apt-get install -y nvidia-dkms-570", "proprietary"),
        ("dnf install -y kmod-nvidia-latest-dkms", "proprietary"),
        ("sh NVIDIA-Linux-x86_64-580.95.05.run -s --kernel-module-type=proprietary", "proprietary"),
        ("sh NVIDIA-Linux-x86_64-570.86.15.run -s -m=kernel", "proprietary"),
        ("dnf module install -y nvidia-driver:580-open", "open"),
        ("dnf module install -y nvidia-driver:open-dkms", "open"),
        ("apt-get install -y nvidia-driver-580-server-open", "open"),
        ("apt-get install -y nvidia-open", "open"),
        ("sh NVIDIA-Linux-x86_64-570.86.15.run -s -m=kernel-open", "open"),
        ("dnf install -y nvidia-driver-cuda", None),
        ("wget https://example.org/nvidia-driver-580.95.05.rpm", None),
    ],
)
def test_a_command_tells_the_flavour_of_the_kernel_module(text: str, flavour: str | None) -> None:
    """Packages and installer options name the open or the proprietary module; neither is guessed from others."""
    told = [name for name, pattern in (("open", OPEN), ("proprietary", PROPRIETARY)) if pattern.search(text)]

    assert told == ([flavour] if flavour else [])

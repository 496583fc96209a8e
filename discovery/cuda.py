"""Which CUDA instances could install: no cloud tells it, so a proposal is made from the image and the cards."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from access.data_files import read_data
from probes.references.products import nvidia_products

FILE = Path(__file__).parent / "cuda.yaml"


def user_of(distribution: str) -> str | None:
    """The user that cloud-init makes in images of a distribution; None if it is not known."""
    user = read_data(FILE)["users"].get(distribution)
    return str(user) if user else None


def proposal(distribution: str, version: str, product_ids: Iterable[str]) -> dict[str, Any] | None:
    """The section `cuda`; None where image or cards are of no kind that we know."""
    data = read_data(FILE)
    family = "rhel" if distribution in data["like_rhel"] else distribution
    repository = data["repositories"].get(family)
    architectures = {product.architecture for each in product_ids if (product := nvidia_products().get(each))}
    fitting = [kit for kit in data["toolkits"] if architectures and architectures <= {*map(str, kit["architectures"])}]
    if repository is None or not version or not fitting:
        return None
    kit = fitting[0]
    found = {
        "version": kit["version"],
        "repository": repository.format(major=version.split(".")[0], digits=version.replace(".", "")),
        "packages": list(kit["rpm" if family == "rhel" else "deb"]),
    }
    if _number(kit["version"]) >= _number(data["samples_archive_since"]):
        found["samples_archive"] = data["samples_archive"].format(version=kit["version"])
    return found


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))

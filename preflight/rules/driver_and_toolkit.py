"""Driver branch, kernel module and CUDA version against the card's generation and each other."""

from __future__ import annotations

import re
from collections.abc import Iterator

from preflight.catalogue import rule
from preflight.deployment import Deployment
from preflight.finding import Finding, Location
from preflight.rules import driver_installation
from preflight.shell_source import Script
from probes.references import NVIDIA_VENDOR_ID
from probes.references.architectures import architectures
from probes.references.cuda import (
    oldest_driver_for_cuda,
    version,
)
from probes.references.products import nvidia_products

OPEN_MODULE = rule("GP708")
PROPRIETARY_MODULE = rule("GP718")
VGPU_DRIVER = rule("GP713")
CUDA_AND_CARD = rule("GP714")
DRIVER_AND_CARD = rule("GP715")
DRIVER_AND_CUDA = rule("GP716")
RULES = (
    OPEN_MODULE,
    PROPRIETARY_MODULE,
    VGPU_DRIVER,
    CUDA_AND_CARD,
    DRIVER_AND_CARD,
    DRIVER_AND_CUDA,
    *driver_installation.RULES,
)

ABOUT_NVIDIA = re.compile(r"nvidia|cuda", re.I)
OPEN = re.compile(
    r"\bnvidia-open\b"
    r"|nvidia-driver:(?:\d+|latest|open)-?(?:open|dkms)?\S*open\S*|nvidia-driver:open-dkms"
    r"|kmod-nvidia-open\S*"
    r"|nvidia-(?:dkms|driver|headless)-\d+(?:-server)?-open"
    r"|(?:-m=?|--kernel-module-build-directory=|-M\s+)(?:kernel-)?open|--kernel-module-type=open"
)
PROPRIETARY = re.compile(
    r"nvidia-driver:(?:\d{3}|latest)(?:-dkms)?(?![\w-])"
    r"|kmod-nvidia-(?:\d{3}|latest)-dkms\b"
    r"|\bnvidia-(?:dkms|driver|headless)-\d{3}(?:-server)?(?![\w.-])"
    r"|--kernel-module-type=proprietary"
    r"|(?:-m=|--kernel-module-build-directory=|-M\s+)(?:kernel(?![\w-])|proprietary)"
)
BRANCH = re.compile(
    r"\b(?:cuda-drivers|nvidia-driver(?:-branch)?|nvidia-dkms|nvidia-headless|nvidia-driver-cuda|kmod-nvidia)"
    r"[-:](?:branch-)?(?P<branch>\d{3})\b"
    r"|NVIDIA-Linux-\w+-(?P<run>\d{3})\.[\d.]+(?:-\w+)*\.run"
)
CUDA = re.compile(
    r"\b(?:cuda|cuda-toolkit|cuda-samples|cuda-runtime)-(?P<major>\d{1,2})[-.](?P<minor>\d)\b"
    r"|/usr/local/cuda-(?P<path>\d{1,2}\.\d)\b"
)
HOST_DRIVER = re.compile(r"NVIDIA-Linux-\S*-vgpu-kvm\S*|nvidia-vgpu-\S+\.(?:rpm|deb)")


def check(deployment: Deployment) -> Iterator[Finding]:
    """Findings of this concern."""
    cards = cards_of(deployment)
    for script in (script for script in deployment.files.scripts if ABOUT_NVIDIA.search(script.text)):
        yield from _module(script, cards)
        yield from _versions(script, cards)
        for location, found in script.search(HOST_DRIVER):
            if cards:
                yield VGPU_DRIVER.at(
                    location,
                    found[0],
                    "it is the hypervisor's half of vGPU",
                    "the data-centre driver, NVIDIA-Linux-x86_64-….run or cuda-drivers",
                )
    for cloud in deployment.files.cloud_files:
        lines = tuple(deployment.files.texts[cloud.path].splitlines())
        yield from _module(Script(cloud.path, lines), cards)
        yield from _versions(Script(cloud.path, lines), cards)
    yield from driver_installation.check(deployment)


def cards_of(deployment: Deployment) -> dict[str, str]:
    """Generations of the cards that are passed through, with an id of each."""
    ids = [entry.id("product_id") or "" for entry in [*deployment.whitelist, *deployment.aliases] if entry.is_gpu]
    ids += [
        product
        for vendor, product in (deployment.declared.cards if deployment.declared else ())
        if vendor == NVIDIA_VENDOR_ID
    ]
    found: dict[str, str] = {}
    for product_id in ids:
        product = nvidia_products().get(product_id)
        if product and product.architecture:
            found.setdefault(product.architecture, product_id)
    return found


def called(architecture: str, product_id: str) -> str:
    """A card as messages name it."""
    return f"{NVIDIA_VENDOR_ID}:{product_id} ({nvidia_products()[product_id].name}, {architecture.title()})"


def _module(script: Script, cards: dict[str, str]) -> Iterator[Finding]:
    takes = {architecture: architectures()[architecture].kernel_modules for architecture in cards}
    for location, found in script.search(OPEN):
        for architecture in (name for name in cards if "open" not in takes[name]):
            yield OPEN_MODULE.at(
                location,
                found[0],
                f"{called(architecture, cards[architecture])} has no GSP; the open module starts with Turing",
                "the proprietary module: nvidia-driver:580-dkms, --kernel-module-type=proprietary",
            )
    for location, found in script.search(PROPRIETARY):
        for architecture in (name for name in cards if "proprietary" not in takes[name]):
            yield PROPRIETARY_MODULE.at(
                location,
                found[0],
                f"{called(architecture, cards[architecture])} is driven by the open kernel module only",
                "the open module: nvidia-driver:580-open, nvidia-open, --kernel-module-type=open",
            )


def _versions(script: Script, cards: dict[str, str]) -> Iterator[Finding]:
    branches = [(location, found, int(found["branch"] or found["run"])) for location, found in script.search(BRANCH)]
    toolkits = [
        (location, found, found["path"] or f"{found['major']}.{found['minor']}")
        for location, found in script.search(CUDA)
    ]
    seen: set[str] = set()
    for location, found, cuda in toolkits:
        if cuda in seen:
            continue
        seen.add(cuda)
        yield from _cuda_and_cards(location, found[0], cuda, cards)
        needed = oldest_driver_for_cuda(cuda)
        for driver_location, driver, branch in branches:
            if needed and branch < needed:
                yield DRIVER_AND_CUDA.at(
                    driver_location,
                    driver[0],
                    f"CUDA {cuda} needs driver {needed} or newer",
                    f"branch {needed} or newer",
                )
    for location, found, branch in branches:
        yield from _driver_and_cards(location, found[0], branch, cards)


def _cuda_and_cards(location: Location, text: str, cuda: str, cards: dict[str, str]) -> Iterator[Finding]:
    for architecture, product_id in cards.items():
        entry = architectures()[architecture]
        card = called(architecture, product_id)
        if version(cuda) < version(entry.first_cuda):
            yield CUDA_AND_CARD.at(
                location, text, f"{card} is known from CUDA {entry.first_cuda} on", f"CUDA {entry.first_cuda} or newer"
            )
        elif entry.last_cuda_major and version(cuda)[0] > entry.last_cuda_major:
            yield CUDA_AND_CARD.at(
                location,
                text,
                f"CUDA {entry.last_cuda_major} is the last one for {card}",
                f"CUDA {entry.last_cuda_major} or older",
            )


def _driver_and_cards(location: Location, text: str, branch: int, cards: dict[str, str]) -> Iterator[Finding]:
    for architecture, product_id in cards.items():
        entry = architectures()[architecture]
        card = called(architecture, product_id)
        if entry.last_driver_branch and branch > entry.last_driver_branch:
            yield DRIVER_AND_CARD.at(
                location,
                text,
                f"{entry.last_driver_branch} is the last branch for {card}",
                f"branch {entry.last_driver_branch}",
            )
        elif branch < entry.first_driver_branch:
            yield DRIVER_AND_CARD.at(
                location,
                text,
                f"{card} is known from branch {entry.first_driver_branch} on",
                f"branch {entry.first_driver_branch} or newer",
            )

"""Driver branch, kernel module, CUDA version and repository against the card's generation and each other."""

from __future__ import annotations

import re
from collections.abc import Iterator

from preflight.catalogue import rule
from preflight.deployment import Deployment
from preflight.finding import Finding, Location
from preflight.shell_source import Script
from probes.references import NVIDIA_VENDOR_ID
from probes.references.architectures import architectures
from probes.references.cuda import (
    first_repository_package_with_new_key,
    last_samples_script,
    oldest_driver_for_cuda,
    version,
)
from probes.references.products import nvidia_products

OPEN_MODULE = rule("GP708")
PROPRIETARY_MODULE = rule("GP718")
RETIRED_KEY = rule("GP709")
SAMPLES_GONE = rule("GP710")
NOUVEAU_STAYS = rule("GP711")
SECURE_BOOT = rule("GP712")
VGPU_DRIVER = rule("GP713")
CUDA_AND_CARD = rule("GP714")
DRIVER_AND_CARD = rule("GP715")
DRIVER_AND_CUDA = rule("GP716")
REPOSITORY_AND_IMAGE = rule("GP717")
RULES = (
    OPEN_MODULE,
    PROPRIETARY_MODULE,
    RETIRED_KEY,
    SAMPLES_GONE,
    NOUVEAU_STAYS,
    SECURE_BOOT,
    VGPU_DRIVER,
    CUDA_AND_CARD,
    DRIVER_AND_CARD,
    DRIVER_AND_CUDA,
    REPOSITORY_AND_IMAGE,
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
REPOSITORY = re.compile(r"cuda-repo-(?P<distribution>[a-z]+\d+)[-_](?P<version>\d+[.-]\d+)\S*\.(?:rpm|deb)")
OLD_KEY = re.compile(r"7fa2af80(?:\.pub)?", re.I)
SAMPLES_SCRIPT = re.compile(r"cuda-install-samples-(?P<version>\d+\.\d+)\.sh")
EXECUTES_RUN = re.compile(r"(?:\bsh\s+|\bbash\s+|^\s*(?:sudo\s+)?)\S*(?:NVIDIA-Linux-[\w.-]+|cuda_[\w.]+_linux)\.run\b")
NO_NOUVEAU = re.compile(r"blacklist\s+nouveau|blacklist=nouveau|nouveau\.modeset=0|--disable-nouveau")
SIGNED = re.compile(r"mokutil|module-signing|sign-file|linux-modules-nvidia|open-kmod-signed")
HOST_DRIVER = re.compile(r"NVIDIA-Linux-\S*-vgpu-kvm\S*|nvidia-vgpu-\S+\.(?:rpm|deb)")
SECURE = re.compile(r"os_secure_boot=[\"']?(?:required|true)")
FAMILY = re.compile(
    r"(?P<name>rhel|centos|rocky|alma\w*|fedora|ubuntu)-?(?:server-)?(?P<major>\d+)(?:\.(?P<minor>\d+))?", re.I
)


def check(deployment: Deployment) -> Iterator[Finding]:
    """Findings of this concern."""
    cards = cards_of(deployment)
    for script in (script for script in deployment.files.scripts if ABOUT_NVIDIA.search(script.text)):
        yield from _module(script, cards)
        yield from _versions(script, cards)
        yield from _repository(deployment, script)
        yield from _samples(script)
        yield from _nouveau(script)
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
    yield from _secure_boot(deployment)


def cards_of(deployment: Deployment) -> dict[str, str]:
    """Generations of the cards that are passed through, with an id of each."""
    ids = [entry.text("product_id") or "" for entry in [*deployment.whitelist, *deployment.aliases] if entry.is_gpu]
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


def _repository(deployment: Deployment, script: Script) -> Iterator[Finding]:
    since = first_repository_package_with_new_key()
    repositories = list(script.search(REPOSITORY))
    images = _images(deployment) if repositories else set()
    for location, found in repositories:
        cuda = found["version"].replace("-", ".")
        if version(cuda) < version(since) and not re.search(
            r"cuda-keyring|D42D0685|--nogpgcheck|gpgcheck=0", script.text
        ):
            yield RETIRED_KEY.at(
                location,
                found[0],
                f"packages before {since} bring the key 7fa2af80, retired in April 2022; what is in the "
                "repository now is signed with D42D0685",
                "rpm --import …/D42D0685.pub first, or the repository's cuda-*.repo file or cuda-keyring package",
            )
        for image, family, major in images:
            ours = found["distribution"]
            if (
                family in ("rhel", "ubuntu")
                and ours.startswith(("rhel", "ubuntu"))
                and ours[: len(family) + len(major)] != f"{family}{major}"
            ):
                yield REPOSITORY_AND_IMAGE.at(
                    location,
                    found[0],
                    f"the image is {image}, the repository is for {ours}",
                    f"the repository of {family}{major}",
                )
    for location, found in script.search(OLD_KEY):
        yield RETIRED_KEY.at(
            location,
            found[0],
            "NVIDIA has retired this key in April 2022",
            "cuda-keyring, or the key 3bf863cc (D42D0685 for rpm)",
        )


def _images(deployment: Deployment) -> set[tuple[str, str, str]]:
    """Images of the servers whose name tells the distribution: name, family, major version (Ubuntu: with month)."""
    names = deployment.image_names
    found = set()
    for name in names:
        match = FAMILY.search(name)
        if match:
            family = (
                "ubuntu"
                if match["name"].lower() == "ubuntu"
                else "rhel"
                if match["name"].lower() != "fedora"
                else "fedora"
            )
            major = (
                match["major"] + (match["minor"] or "")
                if family == "ubuntu"
                else match["major"][:1]
                if len(match["major"]) == 2 and match["major"][0] in "789"
                else match["major"]
            )
            found.add((name, family, major))
    return found


def _samples(script: Script) -> Iterator[Finding]:
    until = last_samples_script()
    for location, found in script.search(SAMPLES_SCRIPT):
        if version(found["version"]) > version(until):
            yield SAMPLES_GONE.at(
                location,
                found[0],
                f"the script and the samples are part of CUDA up to {until} only",
                f"git clone --branch v{found['version']} https://github.com/NVIDIA/cuda-samples",
            )


def _nouveau(script: Script) -> Iterator[Finding]:
    if NO_NOUVEAU.search(script.text):
        return
    for location, found in script.search(EXECUTES_RUN):
        yield NOUVEAU_STAYS.at(
            location,
            found[0],
            "the image's kernel loads nouveau for the card, and nothing keeps it away",
            "blacklist nouveau in /etc/modprobe.d and in the initramfs first (packages do that by themselves)",
        )
        return


def _secure_boot(deployment: Deployment) -> Iterator[Finding]:
    installs = any(
        re.search(r"\bcuda\b|cuda-drivers|nvidia-driver|NVIDIA-Linux", script.text)
        for script in deployment.files.scripts
    )
    signed = any(SIGNED.search(script.text) for script in deployment.files.scripts)
    for script in deployment.files.scripts:
        for location, found in script.search(SECURE):
            if installs and not signed:
                yield SECURE_BOOT.at(
                    location,
                    found[0],
                    "the driver is built in the guest, and its module is not signed",
                    "os_secure_boot=disabled, or sign the module and enroll the key",
                )

"""Installing driver and CUDA: the repository and its key, the samples, nouveau, Secure Boot."""

from __future__ import annotations

import re
from collections.abc import Iterator

from preflight.catalogue import rule
from preflight.deployment import Deployment
from preflight.finding import Finding
from preflight.shell_source import Script
from probes.references.cuda import (
    first_repository_package_with_new_key,
    last_samples_script,
    version,
)

RETIRED_KEY = rule("GP709")
SAMPLES_GONE = rule("GP710")
NOUVEAU_STAYS = rule("GP711")
SECURE_BOOT = rule("GP712")
REPOSITORY_AND_IMAGE = rule("GP717")
NO_REPOSITORY = rule("GP719")
RULES = (RETIRED_KEY, SAMPLES_GONE, NOUVEAU_STAYS, SECURE_BOOT, REPOSITORY_AND_IMAGE, NO_REPOSITORY)
METAPACKAGE = re.compile(
    r"(?:rpm\s+-\w*[iU]\w*|(?:yum|dnf)\s+(?:-\S+\s+)*(?:local)?install|dpkg\s+-i)\s+(?:-\S+\s+)*(?:\S*/)?"
    r"(?P<package>cuda(?:-toolkit|-drivers)?[-_]\d+\.\d+\S*\.(?:rpm|deb))"
)
HAS_REPOSITORY = re.compile(r"cuda-repo-|cuda-keyring|cuda-\w+\.repo|compute/cuda/repos")
REPOSITORY = re.compile(r"cuda-repo-(?P<distribution>[a-z]+\d+)[-_](?P<version>\d+[.-]\d+)\S*\.(?:rpm|deb)")
OLD_KEY = re.compile(r"7fa2af80(?:\.pub)?", re.I)
SAMPLES_SCRIPT = re.compile(r"cuda-install-samples-(?P<version>\d+\.\d+)\.sh")
EXECUTES_RUN = re.compile(
    r"(?:\bsh\s+|\bbash\s+|^[ \t]*(?:sudo\s+)?)\S*(?:NVIDIA-Linux-[\w.-]+|cuda_[\w.]+_linux)\.run\b"
)
NO_NOUVEAU = re.compile(r"blacklist\s+nouveau|blacklist=nouveau|nouveau\.modeset=0|--disable-nouveau")
SIGNED = re.compile(r"mokutil|module-signing|sign-file|linux-modules-nvidia|open-kmod-signed")
SECURE = re.compile(r"os_secure_boot=[\"']?(?:required|true)")
ABOUT_NVIDIA = re.compile(r"nvidia|cuda", re.I)
FAMILY = re.compile(
    r"(?P<name>rhel|centos|rocky|alma\w*|fedora|ubuntu)-?(?:server-)?(?P<major>\d+)(?:\.(?P<minor>\d+))?", re.I
)


def check(deployment: Deployment) -> Iterator[Finding]:
    """Findings of this concern."""
    for script in (script for script in deployment.files.scripts if ABOUT_NVIDIA.search(script.text)):
        yield from _repository(deployment, script)
        yield from _samples(script)
        yield from _nouveau(script)
        for location, found in script.search(METAPACKAGE) if not HAS_REPOSITORY.search(script.text) else ():
            yield NO_REPOSITORY.at(
                location,
                found[0],
                f"{found['package']} only names other packages, and no repository that has them is set up",
                "the package cuda-repo-…, or cuda-keyring, first; then install cuda-X-Y from it",
            )
    yield from _secure_boot(deployment)


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

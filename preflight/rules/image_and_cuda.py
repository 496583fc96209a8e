"""Image and CUDA: kernel, headers, driver and toolkit that fit each other and the card."""

from __future__ import annotations

import re
from collections.abc import Iterator

from preflight.catalogue import rule
from preflight.deployment import Deployment
from preflight.finding import Finding
from preflight.rules.driver_and_toolkit import called, cards_of
from preflight.shell_source import Script
from probes.references.architectures import architectures

APPLIANCE_KERNEL = rule("GP701")
UPDATE_AFTER_HEADERS = rule("GP702")
UNPINNED_CUDA = rule("GP703")
REPOSITORY_VERSION = rule("GP704")
DRIVER_TOO_NEW = rule("GP705")
REBOOT_UNSIGNALLED = rule("GP706")
REGISTERED_IMAGE = rule("GP707")
RULES = (
    APPLIANCE_KERNEL,
    UPDATE_AFTER_HEADERS,
    UNPINNED_CUDA,
    REPOSITORY_VERSION,
    DRIVER_TOO_NEW,
    REBOOT_UNSIGNALLED,
    REGISTERED_IMAGE,
)
UNAME_IN_IMAGE = re.compile(r"virt-customize\b.*--run-command\s+.*(?:uname\s+-r)")
HEADERS = re.compile(r"kernel-(?:devel|headers)|linux-headers")
PINNED_PATH = re.compile(r"/usr/local/cuda-(?P<version>\d+\.\d+)/")
UNPINNED = re.compile(
    r"\b(?:yum|dnf|apt-get)\s+(?:-\S+\s+)*install\s+(?:-\S+\s+)*(?P<package>cuda|cuda-drivers|cuda-toolkit"
    r"|nvidia-driver)(?=[\s;&|]|$)"
)
REPOSITORY = re.compile(r"cuda-repo-\w+-(?P<version>\d+[.-]\d+)[.\d-]*\S*\.(?:rpm|deb)")
REBOOT = re.compile(r"^[ \t]*(?:sudo\s+)?(?:/sbin/)?(?:shutdown\s+-r|reboot|systemctl\s+reboot)\b")
REGISTER = re.compile(r"subscription-manager\s+register")
UNREGISTER = re.compile(r"subscription-manager\s+(?:unregister|clean)|--sm-unregister|--sm-remove")


def check(deployment: Deployment) -> Iterator[Finding]:
    """Findings of this concern."""
    for script in deployment.files.scripts:
        yield from _image(script)
        yield from _cuda(deployment, script)
        yield from _registration(script)


def _image(script: Script) -> Iterator[Finding]:
    commands = script.commands()
    for index, command in enumerate(commands):
        if not command.runs("virt-customize"):
            continue
        if UNAME_IN_IMAGE.search(command.text):
            yield APPLIANCE_KERNEL.at(
                command.location,
                "uname -r",
                "the command runs under the kernel of libguestfs' appliance, not the image's",
                "ask the image: kernel-devel-$(rpm -q --last kernel | head -1 | sed 's/^kernel-//; s/ .*//')",
            )
        later = [other for other in commands[index + 1 :] if other.runs("virt-customize") and "--update" in other.words]
        own = command.words.index("--update") if "--update" in command.words else -1
        installs = next((at for at, word in enumerate(command.words) if HEADERS.search(word)), None)
        if installs is not None and (later or own > installs):
            location = later[0].location if later else command.location
            yield UPDATE_AFTER_HEADERS.at(
                location,
                "--update",
                "the update may install a newer kernel, which the headers do not fit",
                "update first, then install kernel-devel and kernel-headers of the newest kernel in the image",
            )


def _cuda(deployment: Deployment, script: Script) -> Iterator[Finding]:
    pinned = next(iter(script.search(PINNED_PATH)), None)
    for location, match in script.search(UNPINNED):
        if pinned is not None and match["package"] in ("cuda", "cuda-toolkit"):
            version = pinned[1]["version"]
            yield UNPINNED_CUDA.at(
                location,
                match[0],
                f"today's CUDA is not {version}, and the script uses {pinned[1][0]}",
                f"install {match['package']}-{version.replace('.', '-')}",
            )
        for architecture, product_id in cards_of(deployment).items():
            last = architectures()[architecture].last_driver_branch
            if last is not None and match["package"] != "cuda-toolkit":
                yield DRIVER_TOO_NEW.at(
                    location,
                    match[0],
                    f"the newest driver no longer supports {called(architecture, product_id)}; {last} is the "
                    "last branch that does",
                    f"pin the driver's branch, e.g. cuda-drivers-{last}, or the version that CUDA's release notes name",
                )
    for location, match in script.search(REPOSITORY):
        version = match["version"].replace("-", ".")
        if pinned is not None and version != pinned[1]["version"]:
            yield REPOSITORY_VERSION.at(
                location,
                match[0],
                f"the repository package is of {version}, the path of {pinned[1]['version']}",
                f"take the repository package of {pinned[1]['version']}",
            )
    if script.in_template and (pinned or any(True for _ in script.search(UNPINNED))):
        commands = script.commands()
        if commands and REBOOT.match(commands[-1].text):
            yield REBOOT_UNSIGNALLED.at(
                commands[-1].location,
                commands[-1].text,
                "nothing checks or signals after the reboot",
                "install a unit or a per-boot script that checks the driver and signals, before the reboot",
            )


def _registration(script: Script) -> Iterator[Finding]:
    registered = next(iter(script.search(REGISTER)), None)
    if registered is not None and not UNREGISTER.search(script.text) and "virt-customize" in script.text:
        yield REGISTERED_IMAGE.at(
            registered[0],
            registered[1][0],
            "nothing unregisters the image when it is done",
            "as the last step: --run-command 'subscription-manager unregister'",
        )

"""Image and CUDA: kernel, headers, driver and toolkit that fit each other and the card."""

from __future__ import annotations

import re
from collections.abc import Iterator

from preflight.deployment import Deployment
from preflight.finding import Finding, Rule, Severity
from preflight.rules.driver_and_toolkit import called, cards_of
from preflight.shell_source import Script
from probes.references.architectures import architectures

NVIDIA = "https://docs.nvidia.com/cuda/cuda-installation-guide-linux/"
APPLIANCE_KERNEL = Rule("GP701", "uname -r inside virt-customize is the appliance's kernel", Severity.ERROR, "in the guest: kernel-devel does not fit, the driver's module is not built, nvidia-smi cannot communicate with the driver", "https://libguestfs.org/virt-builder.1.html")  # fmt: skip
UPDATE_AFTER_HEADERS = Rule("GP702", "The image is updated after the kernel's headers were installed", Severity.ERROR, "in the guest: a newer kernel boots and has no kernel-devel; the driver's module is missing", NVIDIA)  # fmt: skip
UNPINNED_CUDA = Rule("GP703", "CUDA is installed without a version, its path is written with one", Severity.ERROR, "inside cloud-init, unseen: '/usr/local/cuda-…/bin/…: No such file or directory'", NVIDIA)  # fmt: skip
REPOSITORY_VERSION = Rule("GP704", "The CUDA repository package is of another version than the path", Severity.WARNING, "when the repository serves the version of its name: the path does not exist", NVIDIA)  # fmt: skip
DRIVER_TOO_NEW = Rule("GP705", "An unpinned driver that has dropped this GPU", Severity.ERROR, "dmesg of the guest: 'The NVIDIA … driver will ignore this GPU'", "https://docs.nvidia.com/datacenter/tesla/drivers/")  # fmt: skip
REBOOT_UNSIGNALLED = Rule("GP706", "A user-data script ends in a reboot and nothing runs after it", Severity.WARNING, "nobody learns whether the driver came up after the reboot", "https://docs.cloud-init.io/en/latest/")  # fmt: skip
REGISTERED_IMAGE = Rule("GP707", "The image stays registered", Severity.WARNING, "every instance uses the same system identity; the subscription runs out", "https://access.redhat.com/solutions/253273")  # fmt: skip
RULES = (
    APPLIANCE_KERNEL, UPDATE_AFTER_HEADERS, UNPINNED_CUDA, REPOSITORY_VERSION, DRIVER_TOO_NEW, REBOOT_UNSIGNALLED,
    REGISTERED_IMAGE,
)  # fmt: skip
UNAME_IN_IMAGE = re.compile(r"virt-customize\b.*--run-command\s+.*(?:uname\s+-r)")
HEADERS = re.compile(r"kernel-(?:devel|headers)|linux-headers")
PINNED_PATH = re.compile(r"/usr/local/cuda-(?P<version>\d+\.\d+)/")
UNPINNED = re.compile(r"\b(?:yum|dnf|apt-get)\s+(?:-\S+\s+)*install\s+(?:-\S+\s+)*(?P<package>cuda|cuda-drivers|cuda-toolkit|nvidia-driver)(?=[\s;&|]|$)")  # fmt: skip
REPOSITORY = re.compile(r"cuda-repo-\w+-(?P<version>\d+[.-]\d+)[.\d-]*\S*\.(?:rpm|deb)")
REBOOT = re.compile(r"^\s*(?:sudo\s+)?(?:/sbin/)?(?:shutdown\s+-r|reboot|systemctl\s+reboot)\b")
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
                command.place, "uname -r", "the command runs under the kernel of libguestfs' appliance, not the image's",
                "ask the image: kernel-devel-$(rpm -q --last kernel | head -1 | sed 's/^kernel-//; s/ .*//')",
            )  # fmt: skip
        later = [other for other in commands[index + 1 :] if other.runs("virt-customize") and "--update" in other.words]
        own = command.words.index("--update") if "--update" in command.words else -1
        installs = next((at for at, word in enumerate(command.words) if HEADERS.search(word)), None)
        if installs is not None and (later or own > installs):
            place = later[0].place if later else command.place
            yield UPDATE_AFTER_HEADERS.at(
                place, "--update", "the update may install a newer kernel, which the headers do not fit",
                "update first, then install kernel-devel and kernel-headers of the newest kernel in the image",
            )  # fmt: skip


def _cuda(deployment: Deployment, script: Script) -> Iterator[Finding]:
    pinned = next(iter(script.search(PINNED_PATH)), None)
    for place, match in script.search(UNPINNED):
        if pinned is not None and match["package"] in ("cuda", "cuda-toolkit"):
            version = pinned[1]["version"]
            yield UNPINNED_CUDA.at(
                place, match[0], f"today's CUDA is not {version}, and the script uses {pinned[1][0]}",
                f"install {match['package']}-{version.replace('.', '-')}",
            )  # fmt: skip
        for architecture, product_id in cards_of(deployment).items():
            last = architectures()[architecture].last_driver_branch
            if last is not None and match["package"] != "cuda-toolkit":
                yield DRIVER_TOO_NEW.at(
                    place, match[0], f"the newest driver no longer supports {called(architecture, product_id)}; {last} is the last branch that does",
                    f"pin the driver's branch, e.g. cuda-drivers-{last}, or the version that CUDA's release notes name",
                )  # fmt: skip
    for place, match in script.search(REPOSITORY):
        version = match["version"].replace("-", ".")
        if pinned is not None and version != pinned[1]["version"]:
            yield REPOSITORY_VERSION.at(
                place, match[0], f"the repository package is of {version}, the path of {pinned[1]['version']}",
                f"take the repository package of {pinned[1]['version']}",
            )  # fmt: skip
    if script.in_template and (pinned or any(True for _ in script.search(UNPINNED))):
        commands = script.commands()
        if commands and REBOOT.match(commands[-1].text):
            yield REBOOT_UNSIGNALLED.at(
                commands[-1].place, commands[-1].text, "what is to be checked or signalled after the reboot has no place to run",
                "install a unit or a per-boot script that checks the driver and signals, before the reboot",
            )  # fmt: skip


def _registration(script: Script) -> Iterator[Finding]:
    registered = next(iter(script.search(REGISTER)), None)
    if registered is not None and not UNREGISTER.search(script.text) and "virt-customize" in script.text:
        yield REGISTERED_IMAGE.at(
            registered[0], registered[1][0], "nothing unregisters the image when it is done",
            "as the last step: --run-command 'subscription-manager unregister'",
        )  # fmt: skip

"""Kernel arguments: will the IOMMU be on after the deploy?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from preflight.catalogue import rule
from preflight.deployment import IOMMU_ARGUMENT, Deployment
from preflight.finding import Finding
from preflight.shell_source import Script
from preflight.spelling import nearest
from preflight.yaml_source import Node
from probes.references.iommu import INTEL_OPTIONS, IOMMU_ARGUMENTS, recommended_arguments

NO_ARGUMENT = rule("GP401")
SED_MAY_MISS = rule("GP402")
BIOS_ONLY = rule("GP404")
WRONG_VENDOR = rule("GP405")
PT_WITHOUT_ON = rule("GP406")
BLS_IGNORES = rule("GP407")
IGNORED_OPTION = rule("GP417")
RULES = (NO_ARGUMENT, SED_MAY_MISS, BIOS_ONLY, WRONG_VENDOR, PT_WITHOUT_ON, BLS_IGNORES, IGNORED_OPTION)

INTEL_NAME = "intel_iommu"
NOTHING_SETS = "neither KernelArgs nor a first-boot script sets"
GRUB_SED = re.compile(r"\bsed\b(?P<arguments>.*?)/etc/(?:default|sysconfig)/grub", re.S)
KERNEL_ARGUMENT = re.compile(r"iommu|vfio|nouveau|hugepages|isolcpus|\bpci=")
SED_SUBSTITUTION = re.compile(r"s(?P<mark>[/|#,@])(?P<old>(?:\\.|(?!(?P=mark)).)*)(?P=mark)")
STABLE_ANCHOR = re.compile(r"GRUB_CMDLINE_LINUX(_DEFAULT)?=|\^GRUB_|\$\s*a\b")
VERIFIED = re.compile(r"grep\b.*(/etc/default/grub|/proc/cmdline|grub\.cfg)|\bgrubby\b")
HOST_NAME = re.compile(
    r"\bhostname\b[^|;&]*\|\s*e?grep\b\s*(?:-\S+\s+)*[\"']?(?P<word>[\w.^${}*-]+)|\$\(hostname[^)]*\)\s*(?:=~"
    r"|==?)\s*(?P<test>\S+)"
)
BOOT_WORK = re.compile(r"grub|iommu|vfio|modprobe|dracut")
MKCONFIG = re.compile(r"\bgrub2?-mkconfig\b.*?-o\s+(?P<target>\S+)")
EFI = re.compile(r"efi", re.I)
IOMMU_PT = re.compile(r"\biommu=pt\b")
INTEL_SWITCH = re.compile(r"\b(?P<name>[Ii][Nn][Tt][Ee][Ll][-_]?[A-Za-z]{3,7})=(?P<options>[\w,]*)")


def check(deployment: Deployment) -> Iterator[Finding]:
    """Findings of this concern."""
    yield from _missing(deployment)
    yield from _ignored(deployment)
    for script in deployment.files.scripts:
        yield from _sed(script)
        yield from _boot_configuration(deployment, script)
    yield from _values(deployment)


def _may_be_on_anyway(deployment: Deployment) -> bool:
    """Today's kernels have the IOMMU of AMD's processors on; whose processors the hosts have must be known."""
    return bool(deployment.files.kernel_arguments) and "intel" not in deployment.cpu_vendors


def _texts(deployment: Deployment) -> str:
    values = [node.text for _, node in deployment.kernel_arguments]
    return "\n".join([*values, *(script.text for script in deployment.files.scripts)])


def _missing(deployment: Deployment) -> Iterator[Finding]:
    environments = {environment.path for environment in deployment.files.environments}
    gpus = [
        entry
        for entry in deployment.whitelist
        if entry.is_gpu and (deployment.files.kernel_arguments or entry.node.location.path in environments)
    ]
    if any(IOMMU_PT.search(node.text) for _, node in deployment.kernel_arguments):
        return  # said of the argument itself
    if _may_be_on_anyway(deployment):
        return
    whole = bool(deployment.aliases or deployment.first_boot_scripts or deployment.kernel_arguments)
    if gpus and whole and not IOMMU_ARGUMENT.search(_texts(deployment)) and not _calls_other_files(deployment):
        yield NO_ARGUMENT.at(
            gpus[0].node.location,
            f"{gpus[0].text('vendor_id')}:{gpus[0].text('product_id')}",
            f"{'none of the kernel arguments is' if deployment.files.kernel_arguments else NOTHING_SETS} "
            + " or ".join(IOMMU_ARGUMENTS.values()),
            f"add {recommended_arguments('intel')} to the hosts' kernel arguments"
            if deployment.files.kernel_arguments
            else f'set KernelArgs: "{recommended_arguments("intel")}" for the GPU role '
            "(before Queens: a first-boot script)",
        )


def _calls_other_files(deployment: Deployment) -> bool:
    """Whether the registry maps first-boot to a template that we were not given."""
    mapped = [value for key, value in deployment.resource_registry if key.text.endswith("NodeUserData")]
    names = {path.name for path in deployment.files.texts}
    return any(value.text.rsplit("/", 1)[-1] not in names for value in mapped)


def _sed(script: Script) -> Iterator[Finding]:
    if VERIFIED.search(script.text):
        return
    matches = ((command.location, found) for command in script.commands() for found in GRUB_SED.finditer(command.text))
    for location, match in matches:
        substitution = SED_SUBSTITUTION.search(match["arguments"])
        if (
            not KERNEL_ARGUMENT.search(match["arguments"])
            or substitution is None
            or STABLE_ANCHOR.search(substitution["old"])
        ):
            continue
        yield SED_MAY_MISS.at(
            location,
            match[0],
            f"it changes only a line that matches {substitution['old']!r}, and nothing looks whether one did",
            'append inside GRUB_CMDLINE_LINUX="…" whatever the line holds, then '
            f"`grep -q {IOMMU_ARGUMENTS['intel']} /etc/default/grub || exit 1` (from Queens on: KernelArgs)",
        )


def _boot_configuration(deployment: Deployment, script: Script) -> Iterator[Finding]:
    for location, match in script.search(MKCONFIG):
        if not EFI.search(script.text):
            yield BIOS_ONLY.at(
                location,
                match[0],
                f"{match['target']} is read by BIOS machines only",
                "if [ -d /sys/firmware/efi ]: write /boot/efi/EFI/<distribution>/grub.cfg (/etc/grub2-efi.cfg) instead",
            )
        if deployment.is_at_least("wallaby") and "bls" not in script.text and "grubby" not in script.text:
            yield BLS_IGNORES.at(
                location,
                match[0],
                "from RHEL 9.3 on entries in /boot/loader/entries keep their arguments",
                "grubby --update-kernel=ALL --args=…, or grub2-mkconfig with --update-bls-cmdline",
            )


def _values(deployment: Deployment) -> Iterator[Finding]:
    for _, node in deployment.kernel_arguments:
        yield from _vendor(deployment, node)
        is_mode_only = IOMMU_PT.search(node.text) and not IOMMU_ARGUMENT.search(node.text)
        if is_mode_only and deployment.cpu_vendors != {"amd"} and not _may_be_on_anyway(deployment):
            yield PT_WITHOUT_ON.at(
                node.location,
                node.text,
                "iommu=pt only chooses a mode",
                f'KernelArgs: "{recommended_arguments("intel")}"',
            )


def _ignored(deployment: Deployment) -> Iterator[Finding]:
    """What is meant to turn Intel's IOMMU on and is no word of the kernel's, in settings and in scripts."""
    settings = deployment.kernel_arguments
    found = [(node.location, match) for _, node in settings for match in INTEL_SWITCH.finditer(node.text)]
    for script in deployment.files.scripts:
        found += script.search(INTEL_SWITCH)
    for location, match in found:
        why = _why_ignored(match["name"], match["options"])
        if why:
            yield IGNORED_OPTION.at(location, match[0], why, IOMMU_ARGUMENTS["intel"])


def _why_ignored(name: str, options: str) -> str | None:
    """None where the kernel reads it, and where it is another argument."""
    if name.replace("-", "_") != INTEL_NAME:
        return f"the kernel has no argument {name}" if nearest(name, [INTEL_NAME]) else None
    unknown = [option for option in options.split(",") if option not in INTEL_OPTIONS]
    return f"{INTEL_NAME} has no option {unknown[0] or '(nothing)'}; capitals count" if unknown else None


def _vendor(deployment: Deployment, node: Node) -> Iterator[Finding]:
    vendors = {name[: -len("_iommu")] for name in IOMMU_ARGUMENT.findall(node.text)}
    if deployment.cpu_vendors and vendors and not vendors & deployment.cpu_vendors:
        declared = ", ".join(sorted(deployment.cpu_vendors))
        yield WRONG_VENDOR.at(
            node.location,
            node.text,
            f"the computes' processors are declared as {declared}",
            " ".join(IOMMU_ARGUMENTS[vendor] for vendor in sorted(deployment.cpu_vendors)),
        )

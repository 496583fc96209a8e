"""How nvidia-smi reports that it cannot answer: as its whole answer, a line before it, or in a value.

Its exit code does not tell: with one lost card of several it may be 0.
https://docs.nvidia.com/deploy/nvidia-smi/ (RETURN VALUE)
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from access.errors import ToolFailure
from access.host import Host, failure_of
from probes.pci_address import PciAddress

TOOL = "nvidia-smi"
TIMEOUT_S = 120.0
"""Without persistence mode the driver initialises each card first, which takes seconds a card."""
FAILURES: tuple[tuple[str, str, str], ...] = (
    (
        "no-communication",
        r"couldn't communicate with (?:the )?NVIDIA driver|Failed to initialize NVML: (?:NVML: )?Driver Not Loaded"
        r"|failed to load the NVIDIA kernel module|could not insert 'nvidia|Module nvidia not found"
        r"|could not open the device file /dev/nvidia",
        "the kernel module is not loaded: see dmesg (NVRM), dkms status, Secure Boot, nouveau",
    ),
    (
        "version-mismatch",
        r"[Dd]river/library version mismatch",
        "module and library are of different driver versions: reboot, or unload the old module",
    ),
    (
        "no-devices",
        r"^No devices were found",
        "the module is loaded and took no card: see dmesg (NVRM, RmInitAdapter), lspci",
    ),
    (
        "device-handle",
        r"^Unable to determine the device handle for (?:gpu|GPU)",
        "a card does not answer: see dmesg (Xid 79, fallen off the bus), power-cycle the machine",
    ),
    ("gpu-lost", r"GPU is lost", "the card fell off the bus: power-cycle the machine"),
    ("library-missing", r"couldn't find (?:the )?libnvidia-ml|couldn't find the nvml library", "install the driver"),
    (
        "not-installed",
        r"nvidia-smi:? (?:command )?not found|'nvidia-smi' (?:not found|is not recognized)",
        "install it",
    ),
    ("blocked", r"GPU access blocked by the operating system", "in WSL or a container: give it the GPU"),
    ("no-permission", r"Insufficient Permissions$", "run it as root, or see the permissions of /dev/nvidia*"),
    ("nvml", r"^Failed to initialize NVML|^NVML: ", "see dmesg (NVRM)"),
    ("invalid-field", r"is not a valid field to query", "this driver does not know the field: leave it out"),
    ("unknown-error", r"^(?:Unknown Error|ERROR:|Error:|NVIDIA-SMI has failed)", "see dmesg (NVRM)"),
)
PATTERNS = tuple((kind, re.compile(pattern), remedy) for kind, pattern, remedy in FAILURES)
ADDRESS = re.compile(r"\b(?:[0-9A-Fa-f]{4,8}:)?[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.[0-7]\b")
WARNING = re.compile(r"WARNING: (?!.*handle).*")
UNREADABLE = ("ERR!", "Unknown Error", "GPU is lost", "GPU requires reset", "Reset required")
ABSENT = (
    "",
    "N/A",
    "Not Supported",
    "Not Found",
    "Not Available",
    "Not Active N/A",
    "Insufficient Permissions",
    "Requested functionality has been deprecated",
    "Function Not Found",
)


@dataclass(frozen=True)
class Failure:
    """One line in which nvidia-smi reports a failure."""

    kind: str
    """A stable word: no-communication, version-mismatch, no-devices, device-handle, gpu-lost…"""
    address: PciAddress | None
    """The card concerned; None if all are, or none is named."""
    line: str
    line_number: int
    remedy: str


def parse(text: str) -> Failure | None:
    """The first failure in an answer, or None. Any text is allowed: most are no failures."""
    return find(text.splitlines())


def find(lines: list[str]) -> Failure | None:
    """The first failure among lines."""
    for number, line in enumerate(lines, start=1):
        for kind, pattern, remedy in PATTERNS:
            if len(line) < 2000 and pattern.search(line.strip()):
                address = ADDRESS.search(line)
                return Failure(kind, PciAddress(address[0]) if address else None, line.strip(), number, remedy)
    return None


def refuse_failures(lines: list[str]) -> None:
    """Raise if the answer reports its own failure.

    Raises:
        ToolFailure: a line says so.
    """
    failure = find(lines)
    if failure is not None:
        raise ToolFailure(
            TOOL,
            failure.kind,
            "it says that it failed",
            line=failure.line,
            line_number=failure.line_number,
            remedy=failure.remedy,
        )


def value_of(text: str, line: str, line_number: int) -> str | None:
    """A value, None if the card or driver has none.

    Raises:
        ToolFailure: nvidia-smi could not read it (ERR!).
    """
    bare = text.strip().removeprefix("[").removesuffix("]").strip()
    if any(bare.startswith(word) for word in UNREADABLE):
        raise ToolFailure(TOOL, "value-unreadable", "it could not read a value", line=line, line_number=line_number)
    return None if bare in ABSENT else text.strip()


def run(host: Host, arguments: str) -> str:
    """What `nvidia-smi ARGUMENTS` prints, with exit code 0.

    Raises:
        ToolMissing: there is no nvidia-smi.
        CommandTimeout: it hangs, as it does on a card that stopped to answer.
        CommandError: another exit code; says what is known of the failure.
    """
    output = host.run(f"nvidia-smi {arguments}", timeout_s=TIMEOUT_S)
    if output.exit_code == 0:
        return output.stdout
    failure = parse(f"{output.stdout}\n{output.stderr}")
    reason = f"nvidia-smi failed: {failure.kind}" if failure else "nvidia-smi failed"
    raise failure_of(output, reason, failure.remedy if failure else "")


def read(host: Host) -> Failure | None:
    """The failure that plain `nvidia-smi` of `host` reports, whatever its exit code is; None if it does not.

    Raises:
        ToolMissing: there is no nvidia-smi.
        CommandError: it failed without a word that we know.
    """
    output = host.run("nvidia-smi", timeout_s=TIMEOUT_S)
    failure = parse(f"{output.stdout}\n{output.stderr}")
    if output.exit_code != 0 and (failure is None or failure.kind == "not-installed"):
        run(host, "-L")  # raises what there is to raise
    return failure

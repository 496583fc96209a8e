"""How nvidia-smi reports that it cannot answer: as its whole answer, a line before it, or in a value.

Its exit code does not tell: with one lost card of several it may be 0.
https://docs.nvidia.com/deploy/nvidia-smi/ (RETURN VALUE)
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from access.errors import CommandTimeout, ParseError, ToolFailure
from access.host import CommandOutput, Host, failure_of
from probes.pci_address import PciAddress

TOOL = "nvidia-smi"
TIMEOUT_S = 120.0
"""Without persistence mode the driver initialises each card first, which takes seconds a card."""
FIRST_TIMEOUT_S = 60.0
"""How long the first question may take: eight cards of the largest kind are initialised in half of it."""
HANGS = "hangs"
EXIT_CODES = {
    8: ("power-cables", "connect the card's auxiliary power"),
    10: ("interrupts", "see dmesg and /proc/interrupts: the card's interrupts do not arrive"),
    14: ("inforom-corrupted", "the card's infoROM is corrupted: exchange the card, or let its vendor repair it"),
    15: ("gpu-lost", "the card fell off the bus: power-cycle the machine"),
}
"""What its exit code says although its answer does not. https://docs.nvidia.com/deploy/nvidia-smi/ (RETURN VALUE)"""
ANSWERS_ALL_THE_SAME = (0, 14)
"""Exit codes with which it prints the whole answer."""
TABLE = re.compile(r"\|\s*NVIDIA-SMI\s+(?:version\s+)?[0-9]{3}\.")
TABLE_END = re.compile(r"\+[-=+]{20,}\+")
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
HANGING = "reset the card or reboot the machine; see dmesg (NVRM, Xid) and `ps` for what waits in the driver"
PATTERNS = tuple((kind, re.compile(pattern), remedy) for kind, pattern, remedy in FAILURES)
ADDRESS = re.compile(r"(?<![0-9A-Fa-f:])(?:[0-9A-Fa-f]{4,8}:)?[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.[0-7]\b")
"""No word's end need stand before it: a domain is printed at the letters of "GPU"."""
WARNING = re.compile(r"WARNING: (?!.*handle).*")
UNREADABLE = {
    "ERR!": "value-unreadable",
    "Unknown Error": "value-unreadable",
    "GPU is lost": "gpu-lost",
    "GPU requires reset": "reset-required",
    "Reset required": "reset-required",
}
"""Words in place of a value, and what ails the card."""
NOTE = re.compile(r"\s+\[[^\[\]]{0,200}(?:[Dd]eprecated|will be removed|[Uu]se \w)[^\[\]]{0,200}\]$")
"""What newer drivers say of a field that will go away."""
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


def unreadable(text: str) -> str:
    """What ails the card that has these words in place of a value; "" for a value."""
    bare = text.strip().removeprefix("[").strip()
    return next((kind for word, kind in UNREADABLE.items() if bare.startswith(word)), "")


def value_of(text: str) -> str | None:
    """A value without notes; None if the card or driver has none, or could not read it."""
    plain = NOTE.sub("", text.strip())
    bare = plain.removeprefix("[").removesuffix("]").strip()
    return None if bare in ABSENT or unreadable(text) else plain


def refusal_of(text: str, line: str) -> ToolFailure:
    """The failure that a value which could not be read is where it is used."""
    return ToolFailure(TOOL, unreadable(text), "it could not read a value", line=line)


def run(host: Host, arguments: str) -> str:
    """What `nvidia-smi ARGUMENTS` prints, with an exit code that leaves the answer whole.

    Raises:
        ToolMissing: there is no nvidia-smi.
        CommandTimeout: it hangs, as it does on a card that stopped to answer.
        CommandError: another exit code; says what is known of the failure.
    """
    output = host.run(f"nvidia-smi {arguments}", timeout_s=TIMEOUT_S)
    if output.exit_code in ANSWERS_ALL_THE_SAME:
        return output.stdout
    failure = _failure_of(output)
    reason = f"nvidia-smi failed: {failure.kind}" if failure else "nvidia-smi failed"
    raise failure_of(output, reason, failure.remedy if failure else "")


def _failure_of(output: CommandOutput) -> Failure | None:
    """What the words say, else what the exit code says."""
    found = parse(f"{output.stdout}\n{output.stderr}")
    if found is None and output.exit_code in EXIT_CODES:
        kind, remedy = EXIT_CODES[output.exit_code]
        return Failure(kind, None, f"nvidia-smi ends with exit code {output.exit_code}", 0, remedy)
    return found


def read(host: Host) -> Failure | None:
    """The failure that plain `nvidia-smi` of `host` reports, whatever its exit code is; None if it prints its table.

    Raises:
        ToolMissing: there is no nvidia-smi.
        CommandError: it failed without a word that we know.
        ParseError: it prints neither a failure nor its table.
    """
    try:
        output = host.run("nvidia-smi", timeout_s=FIRST_TIMEOUT_S)
    except CommandTimeout:
        return Failure(HANGS, None, f"nvidia-smi does not end within {FIRST_TIMEOUT_S:g} s", 0, HANGING)
    failure = _failure_of(output)
    if output.exit_code != 0 and (failure is None or failure.kind == "not-installed"):
        run(host, "-L")  # raises what there is to raise
    if failure is None:
        _require_table(output.stdout)
    return failure


def _require_table(text: str) -> None:
    lines = [line for line in text.splitlines() if line.strip()]
    if not any(TABLE.search(line) for line in lines) or not any(TABLE_END.match(line.strip()) for line in lines[-1:]):
        raise ParseError(TOOL, "neither its table nor a failure", line=lines[-1] if lines else "")

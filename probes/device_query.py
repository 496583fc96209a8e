"""deviceQuery of the CUDA samples, from CUDA 4 on."""

from __future__ import annotations

import re
from dataclasses import dataclass

from access.errors import ParseError
from access.host import Host
from probes.cuda_samples import refuse_failures, run_sample
from probes.pci_address import PciAddress
from probes.reading import transcript_of

TOOL = "deviceQuery"
TITLE = re.compile(r"\s*CUDA Device Query \(Runtime API\) version .*")
COUNT = re.compile(r"\s*(?:Detected|Found) ([0-9]{1,3}) CUDA Capable device\(s\)")
DEVICE = re.compile(r'\s*Device ([0-9]{1,3}): "(.{1,200})"')
FIELD = re.compile(r"\s*([^:]{2,60}):\s+(\S.*)")
VERSIONS = re.compile(r"\s*CUDA Driver Version / Runtime Version\s+([0-9]+\.[0-9]+) / ([0-9]+\.[0-9]+)")
CORES = re.compile(
    r"\s*\( ?([0-9]{1,5})\) Multiprocessors(?: x|,) \( *(-?[0-9]{1,5})\) CUDA Cores/MP:\s+(-?[0-9]{1,7}) CUDA Cores"
)
UNKNOWN_CARD = re.compile(r"MapSMto(Cores|ArchName)\b.{1,80} is undefined.*")
"""A sample that is older than the card guesses what its multiprocessors have; a card's name it needs for words only."""
SINGLE = re.compile(r"\s*\( *([0-9]{1,5})\) Multiprocessors.*")
PEER = re.compile(
    r"\s*> Peer(?:-to-Peer \(P2P\))? access from .{1,200} "
    r"\(GPU([0-9]{1,3})\) -> .{1,200} \(GPU([0-9]{1,3})\) ?: (Yes|No)"
)
SUMMARY = re.compile(r"\s*deviceQuery, CUDA Driver = CUDART, .*NumDevs = ([0-9]{1,3})(?:, Device.*)?")
RESULT = re.compile(r"\s*Result = PASS")
NO_FIELD = re.compile(
    r"\s*(?:Max(?:imum)? (?:Texture Dimension Size|Layered).*|Max dimension size of a (?:thread block|grid size).*"
    r"|Compute Mode:|< .* >|\[deviceQuery\] test results\.\.\.|PASSED|> exiting in .*)"
)
TIMEOUT_S = 120.0
"""Eight cards of the largest kind take half a minute."""
RESULT_SINCE = 5.0
"""Before CUDA 5 the last word is the summary, not always a result."""
MEMORY = re.compile(r"([0-9]{1,9}) MBytes \(([0-9]{1,15}) bytes\)")
MHZ = re.compile(r"([0-9]{1,6}(?:\.[0-9]+)?) M[Hh]z.*")
GHZ = re.compile(r"([0-9]{1,3}(?:\.[0-9]+)?) GHz")
FLAG = {"Yes": True, "Enabled": True, "No": False, "Disabled": False}


@dataclass(frozen=True)
class Device:
    """One CUDA device; None for what this version of deviceQuery does not print."""

    index: int
    name: str
    compute_capability: str
    memory_bytes: int
    multiprocessors: int | None
    cores: int | None
    clock_mhz: float | None
    """None from CUDA 13 on, which prints none."""
    memory_clock_mhz: float | None
    bus_width_bits: int | None
    l2_bytes: int | None
    is_ecc_on: bool | None
    address: PciAddress | None


@dataclass(frozen=True)
class DeviceQuery:
    """All devices that CUDA sees."""

    driver_version: str
    """The newest CUDA that the driver supports, e.g. "12.2"."""
    runtime_version: str
    devices: tuple[Device, ...]
    peer_access: dict[tuple[int, int], bool]
    """Pair of indexes → whether the first reaches the second; empty if none are printed."""


def parse(text: str) -> DeviceQuery:
    """Read a passing run; lines before its title, from a shell or a compiler, are passed over.

    Raises:
        ToolFailure: CUDA returned an error, or the result is FAIL.
        ParseError: cut off, a line of another shape, or figures that contradict each other.
    """
    lines = transcript_of(TOOL, text, TOOL)
    refuse_failures(TOOL, lines)
    start = _start(lines)
    body = {number: line for number, line in enumerate(lines[start:], start=start + 1) if line.strip()}
    for number, line in body.items():
        if not _is_known(line):
            raise ParseError(TOOL, "not a line that we know", line=line, line_number=number)
    starts = [number for number, line in body.items() if DEVICE.fullmatch(line)]
    blocks = [
        {number: line for number, line in body.items() if start <= number < end}
        for start, end in zip(starts, [*starts[1:], len(lines) + 1], strict=False)
    ]
    devices = tuple(_device(block) for block in blocks)
    versions = _versions(body, lines[-1])
    _complete(body, devices, versions, lines)
    peers = [match for line in body.values() if (match := PEER.fullmatch(line))]
    return DeviceQuery(*versions, devices, {(int(m[1]), int(m[2])): m[3] == "Yes" for m in peers})


def _start(lines: list[str]) -> int:
    """The place below the title, or, where people copied less, of the number of devices."""
    titles = [number + 1 for number, line in enumerate(lines) if TITLE.fullmatch(line)]
    counts = [number for number, line in enumerate(lines) if COUNT.fullmatch(line)]
    if len(titles) > 1 or not (titles or counts):
        at = titles[1] if titles else len(lines)
        raise ParseError(TOOL, "not one title of deviceQuery", line=lines[at - 1], line_number=at)
    return (titles or counts)[0]


def _is_known(line: str) -> bool:
    shapes = (FIELD, COUNT, DEVICE, VERSIONS, SINGLE, PEER, SUMMARY, RESULT, NO_FIELD, UNKNOWN_CARD)
    return any(shape.fullmatch(line) for shape in shapes)


def _versions(body: dict[int, str], last: str) -> tuple[str, str]:
    found = {(match[1], match[2]) for line in body.values() if (match := VERSIONS.fullmatch(line))}
    if len(found) != 1:
        raise ParseError(TOOL, f"{len(found)} versions of CUDA", line=last)
    return found.pop()


def _device(block: dict[int, str]) -> Device:
    start = min(block)
    heading = DEVICE.fullmatch(block[start])
    fields: dict[str, str] = {}
    for number, line in block.items():
        match = None if DEVICE.fullmatch(line) or PEER.fullmatch(line) else FIELD.fullmatch(line)
        if match and fields.setdefault(match[1].strip(), match[2].strip()) != match[2].strip():
            raise ParseError(TOOL, "a field twice", line=line, line_number=number)
    capability = fields.get("CUDA Capability Major/Minor version number", "")
    memory = MEMORY.fullmatch(fields.get("Total amount of global memory", ""))
    if heading is None or not re.fullmatch(r"[0-9]{1,2}\.[0-9]", capability) or memory is None:
        raise ParseError(TOOL, "a device without capability or memory", line=block[start], line_number=start)
    if abs(int(memory[2]) / 2**20 - int(memory[1])) > 1:
        raise ParseError(TOOL, "memory in MBytes and in bytes differ", line=memory[0])
    cores = _cores(block)
    if cores and int(cores[1]) * int(cores[2]) != int(cores[3]):
        raise ParseError(TOOL, "multiprocessors times cores is not the number of cores", line=cores[0].strip())
    return Device(
        int(heading[1]),
        heading[2],
        capability,
        int(memory[2]),
        _multiprocessors(block),
        int(cores[3]) if cores else None,
        _clock(fields, "GPU Max Clock rate", "GPU Clock rate", "GPU Clock Speed"),
        _clock(fields, "Memory Clock rate"),
        _whole(fields, "Memory Bus Width", "-bit"),
        _whole(fields, "L2 Cache Size", " bytes"),
        _flag(fields, "Device has ECC support", "Device has ECC support enabled"),
        _address(fields),
    )


def _cores(block: dict[int, str]) -> re.Match[str] | None:
    """What is printed of the cores; None where that is a guess."""
    notes = [match for line in block.values() if (match := UNKNOWN_CARD.fullmatch(line))]
    found = next((match for line in block.values() if (match := CORES.fullmatch(line))), None)
    is_guess = any(note[1] == "Cores" for note in notes) or (found is not None and int(found[2]) < 0)
    return None if is_guess else found


def _multiprocessors(block: dict[int, str]) -> int | None:
    found = next((match for line in block.values() if (match := SINGLE.fullmatch(line))), None)
    return int(found[1]) if found else None


def _clock(fields: dict[str, str], *names: str) -> float | None:
    text = next((fields[name] for name in names if name in fields), None)
    if text is None:
        return None
    if match := MHZ.fullmatch(text):
        return float(match[1])
    if match := GHZ.fullmatch(text):
        return float(match[1]) * 1000
    raise ParseError(TOOL, f"{names[0]} is no frequency", line=text)


def _whole(fields: dict[str, str], name: str, unit: str) -> int | None:
    text = fields.get(name)
    if text is None:
        return None
    number = text.removesuffix(unit)
    if not re.fullmatch(r"[0-9]{1,12}", number) or number == text:
        raise ParseError(TOOL, f"{name} is no number of{unit}", line=text)
    return int(number)


def _flag(fields: dict[str, str], *names: str) -> bool | None:
    text = next((fields[name] for name in names if name in fields), None)
    if text is not None and text not in FLAG:
        raise ParseError(TOOL, f"{names[0]} is neither on nor off", line=text)
    return None if text is None else FLAG[text]


def _address(fields: dict[str, str]) -> PciAddress | None:
    """Decimal: domain from CUDA 6 on, bus, device."""
    text = fields.get("Device PCI Domain ID / Bus ID / location ID") or fields.get(
        "Device PCI Bus ID / PCI location ID"
    )
    if text is None:
        return None
    words = text.split(" / ")
    if not all(re.fullmatch(r"[0-9]{1,9}", word) for word in words) or len(words) not in (2, 3):
        raise ParseError(TOOL, "not a PCI address in decimal numbers", line=text)
    return PciAddress.of(*(int(word) for word in (words if len(words) == 3 else ["0", *words])))


def _complete(body: dict[int, str], devices: tuple[Device, ...], versions: tuple[str, str], lines: list[str]) -> None:
    counted = [int(match[1]) for line in body.values() if (match := COUNT.fullmatch(line) or SUMMARY.fullmatch(line))]
    passed = sum(RESULT.fullmatch(line) is not None for line in body.values())
    summed_up = any(SUMMARY.fullmatch(line) for line in body.values())
    if not summed_up or passed > 1 or (not passed and float(versions[1]) >= RESULT_SINCE):
        raise ParseError(TOOL, "cut off: no summary or no result", line=lines[-1], line_number=len(lines))
    indexes = [device.index for device in devices]
    if indexes != list(range(len(indexes))) or set(counted) != {len(devices)} or len(counted) != 2:
        raise ParseError(
            TOOL, f"devices {indexes} are shown, {counted} counted", line=lines[-1], line_number=len(lines)
        )
    addresses = [device.address for device in devices if device.address]
    if len(set(addresses)) < len(addresses):
        raise ParseError(TOOL, "two devices with one address", line=", ".join(addresses))


def read(host: Host) -> DeviceQuery:
    """Devices that CUDA sees on `host`."""
    return parse(run_sample(host, TOOL, timeout_s=TIMEOUT_S).stdout)

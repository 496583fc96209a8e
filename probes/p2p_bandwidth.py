"""p2pBandwidthLatencyTest of the CUDA samples, with and without --p2p_read."""

from __future__ import annotations

import re
from dataclasses import dataclass

from access.errors import ParseError
from access.host import Host
from probes.cuda_samples import refuse_failures, run_sample
from probes.pci_address import PciAddress
from probes.reading import transcript_of

TOOL = "p2pBandwidthLatencyTest"
START = re.compile(r"\s*\[P2P \(Peer-to-Peer\) GPU Bandwidth Latency Test\]")
DEVICE = re.compile(
    r"\s*Device: ([0-9]{1,2}), (.{1,200}), pciBusID: ([0-9a-f]{1,2}), "
    r"pciDeviceID: ([0-9a-f]{1,2}), pciDomainID:\s?([0-9a-f]{1,8})"
)
ACCESS = re.compile(r"\s*Device=([0-9]{1,2}) (CAN|CANNOT) Access Peer Device=([0-9]{1,2})")
CONNECTIVITY = re.compile(r"\s*P2P Connectivity Matrix")
BANDWIDTH = re.compile(
    r"\s*(Unidirectional|Bidirectional) P2P=(Enabled|Disabled) Bandwidth(?: \(P2P (Writes|Reads)\))? Matrix \(GB/s\)"
)
LATENCY = re.compile(r"\s*P2P=(Enabled|Disabled) Latency(?: \(P2P (Writes|Reads)\))? Matrix \(us\)")
MEASUREMENT = re.compile(r"[0-9]{1,9}\.[0-9]{2}")
"""Always printed with two decimals: fewer are the beginning of a cell."""
REACHES = re.compile(r"[01]")
HEADER = re.compile(r"\s*(D\\D|GPU|CPU)((?:\s+[0-9]{1,2})+)\s*")
PASSED_OVER = re.compile(
    r"\s*(?:\*\*\*NOTE: In case a device .*|So you can see lesser Bandwidth .*|NOTE: The CUDA Samples .*|P2P Cliques: ?"
    r"|\[(?:[0-9]{1,2} ?)+\])"
)
GROUPS = (
    "Unidirectional Disabled",
    "Unidirectional Enabled",
    "Bidirectional Disabled",
    "Bidirectional Enabled",
    "Latency Disabled",
    "Latency Enabled",
)
"""What every version measures."""
Matrix = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class P2pDevice:
    """One device."""

    index: int
    name: str
    address: PciAddress


@dataclass(frozen=True)
class P2pTest:
    """Matrices between all devices, row to column; the diagonal is a copy within one.

    "Enabled" ones are measured for pairs that cannot reach each other as well, by a copy through the host: see
    `is_direct`. What a version or option does not measure is None.
    """

    devices: tuple[P2pDevice, ...]
    can_access: frozenset[tuple[int, int]]
    """Pairs that reach each other directly."""
    unidirectional_gb_per_s: Matrix
    """P2P enabled where it can be; written by the source."""
    unidirectional_disabled_gb_per_s: Matrix
    unidirectional_reads_gb_per_s: Matrix | None
    """Read by the target: only with --p2p_read."""
    bidirectional_gb_per_s: Matrix
    bidirectional_disabled_gb_per_s: Matrix
    latency_us: Matrix
    """As the GPU measures it."""
    latency_disabled_us: Matrix
    latency_reads_us: Matrix | None
    cpu_latency_us: Matrix | None
    """As the CPU measures it: from CUDA 10 on."""
    cpu_latency_disabled_us: Matrix | None
    cpu_latency_reads_us: Matrix | None

    def is_direct(self, one: int, other: int) -> bool:
        """Whether figures of "P2P=Enabled" for this pair are ones of P2P, not of a copy through the host."""
        return (one, other) in self.can_access


def parse(text: str) -> P2pTest:
    """Read a whole run; lines above its title, from a shell or a compiler, are passed over.

    Raises:
        ToolFailure: CUDA returned an error.
        ParseError: cut off, a line of another shape, or matrices that contradict the devices.
    """
    lines = transcript_of(TOOL, text, TOOL)
    refuse_failures(TOOL, lines)
    starts = [number for number, line in enumerate(lines) if START.fullmatch(line)]
    if len(starts) != 1:
        at = starts[1] if starts else 0
        raise ParseError(TOOL, "not one title of the test", line=lines[at], line_number=at + 1)
    devices = tuple(_device(match) for line in lines if (match := DEVICE.fullmatch(line)))
    access = [match for line in lines if (match := ACCESS.fullmatch(line))]
    matrices = _matrices(lines, starts[0] + 1, is_excerpt=False)
    connectivity = matrices.pop("Connectivity", None)
    can = frozenset((int(match[1]), int(match[3])) for match in access if match[2] == "CAN")
    _complete(matrices, lines[-1])
    _consistent(devices, access, can, connectivity, matrices, lines[-1])
    return P2pTest(
        devices,
        can,
        matrices["Unidirectional Enabled"],
        matrices["Unidirectional Disabled"],
        matrices.get("Unidirectional Enabled Reads"),
        matrices["Bidirectional Enabled"],
        matrices["Bidirectional Disabled"],
        matrices["Latency Enabled"],
        matrices["Latency Disabled"],
        matrices.get("Latency Enabled Reads"),
        matrices.get("Latency Enabled CPU"),
        matrices.get("Latency Disabled CPU"),
        matrices.get("Latency Enabled Reads CPU"),
    )


def parse_matrices(text: str) -> dict[str, Matrix]:
    """Whole matrices of an excerpt, by name, e.g. "Unidirectional Enabled", "Latency Disabled CPU".

    Raises:
        ToolFailure: CUDA returned an error.
        ParseError: no matrix, a matrix that is cut off, or one twice.
    """
    lines = transcript_of(TOOL, text, TOOL)
    refuse_failures(TOOL, lines)
    found = _matrices(lines, 0, is_excerpt=True)
    if not found:
        raise ParseError(TOOL, "no matrix", line=lines[-1], line_number=len(lines))
    return found


def _device(match: re.Match[str]) -> P2pDevice:
    """Numbers are hexadecimal here, decimal in deviceQuery."""
    bus, device, domain = (int(match[place], 16) for place in (3, 4, 5))
    return P2pDevice(int(match[1]), match[2], PciAddress.of(domain, bus, device))


def _matrices(lines: list[str], start: int, *, is_excerpt: bool) -> dict[str, Matrix]:
    found: dict[str, Matrix] = {}
    name, number = "", start
    while number < len(lines):
        line = lines[number]
        key = _key(line)
        if key is not None:
            name = key
            number = _take(found, lines, number + 1, name)
        elif name.startswith("Latency") and (header := HEADER.fullmatch(line)) and header[1] == "CPU":
            number = _take(found, lines, number, f"{name} CPU")
        elif is_excerpt or not line.strip() or any(shape.fullmatch(line) for shape in (DEVICE, ACCESS, PASSED_OVER)):
            number += 1
        else:
            raise ParseError(TOOL, "not a line that we know", line=line, line_number=number + 1)
    return found


def _key(line: str) -> str | None:
    if CONNECTIVITY.fullmatch(line):
        return "Connectivity"
    if match := BANDWIDTH.fullmatch(line):
        return f"{match[1]} {match[2]}{' Reads' if match[3] == 'Reads' else ''}"
    if match := LATENCY.fullmatch(line):
        return f"Latency {match[1]}{' Reads' if match[2] == 'Reads' else ''}"
    return None


def _take(found: dict[str, Matrix], lines: list[str], start: int, name: str) -> int:
    """Read the matrix whose header is at `start`; return the place behind it."""
    header = HEADER.fullmatch(lines[start]) if start < len(lines) else None
    if header is None or name in found:
        at = min(start, len(lines) - 1)
        reason = "a matrix twice" if name in found else "no header below a matrix's title"
        raise ParseError(TOOL, reason, line=lines[at], line_number=at + 1)
    size = len(header[2].split())
    if [int(word) for word in header[2].split()] != list(range(size)):
        raise ParseError(TOOL, "columns are not 0, 1, 2…", line=lines[start], line_number=start + 1)
    cell = REACHES if name == "Connectivity" else MEASUREMENT
    rows = [_row(lines, start + 1 + index, index, size, cell) for index in range(size)]
    found[name] = tuple(rows)
    return start + 1 + size


def _row(lines: list[str], place: int, index: int, size: int, cell: re.Pattern[str]) -> tuple[float, ...]:
    line = lines[place] if place < len(lines) else ""
    words = line.split()
    if len(words) != size + 1 or words[0] != str(index):
        raise ParseError(
            TOOL, f"not row {index} of a matrix with {size} columns", line=line or lines[-1], line_number=place + 1
        )
    odd = next((word for word in words[1:] if cell.fullmatch(word) is None), None)
    if odd is not None:
        raise ParseError(TOOL, f"{odd[:40]!r} is no whole cell of a matrix", line=line, line_number=place + 1)
    return tuple(float(word) for word in words[1:])


def _complete(matrices: dict[str, Matrix], last: str) -> None:
    missing = [name for name in GROUPS if name not in matrices]
    latencies = [name for name in matrices if name.startswith("Latency") and not name.endswith("CPU")]
    measured_by_cpu = [name for name in latencies if f"{name} CPU" in matrices]
    if measured_by_cpu and len(measured_by_cpu) != len(latencies):
        missing += [f"{name} CPU" for name in latencies if name not in measured_by_cpu]
    if ("Unidirectional Enabled Reads" in matrices) != ("Latency Enabled Reads" in matrices):
        missing.append("Unidirectional or Latency Enabled Reads")
    if missing:
        raise ParseError(TOOL, f"cut off: no matrix {', '.join(missing)}", line=last)


def _consistent(
    devices: tuple[P2pDevice, ...],
    access: list[re.Match[str]],
    can: frozenset[tuple[int, int]],
    connectivity: Matrix | None,
    matrices: dict[str, Matrix],
    last: str,
) -> None:
    count = len(devices)
    indexes = [device.index for device in devices]
    if indexes != list(range(count)) or any(len(matrix) != count for matrix in matrices.values()):
        sizes = {name: len(matrix) for name, matrix in matrices.items()}
        raise ParseError(TOOL, f"devices {indexes}, but matrices of {sizes}", line=last)
    if len({device.address for device in devices}) < count:
        raise ParseError(TOOL, "two devices with one address", line=", ".join(device.address for device in devices))
    pairs = {(one, other) for one in indexes for other in indexes if one != other}
    told = [(int(match[1]), int(match[3])) for match in access]
    if access and (set(told) != pairs or len(told) != len(pairs)):
        odd = sorted(set(told) ^ pairs)[:4] or sorted(pair for pair in pairs if told.count(pair) > 1)[:4]
        raise ParseError(TOOL, f"access of pairs {odd} is not told, or twice", line=last)
    expected = tuple(tuple(float(one == other or (one, other) in can) for other in indexes) for one in indexes)
    if connectivity is not None and connectivity != expected:
        raise ParseError(TOOL, "the connectivity matrix contradicts the lines above it", line=str(connectivity))


def read(host: Host) -> P2pTest:
    """Measure all pairs of `host`."""
    return parse(run_sample(host, TOOL, timeout_s=900).stdout)

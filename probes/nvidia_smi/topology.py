"""nvidia-smi topo: the connections between GPUs (-m), and what they can do over them (-p2p r, w, n)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from access.errors import ParseError
from access.host import Host
from probes.nvidia_smi import failures
from probes.reading import transcript_of

TOOL = "nvidia-smi topo"
DEVICE = re.compile(
    r"GPU[0-9]{1,3}|NIC[0-9]{1,3}|(?:mlx|bnxt|hfi|efa|rocep|ibp|roce|qedr|irdma|mana|siw|ib)[A-Za-z0-9_]{0,30}"
)
AFFINITIES = ("CPU Affinity", "NUMA Affinity", "GPU NUMA ID")
AFFINITY = re.compile(r"[0-9]{1,5}(?:-[0-9]{1,5})?(?:, ?[0-9]{1,5}(?:-[0-9]{1,5})?){0,4096}|N/A|")
"""CPUs or nodes, e.g. 0-23,48-71."""
CONNECTION = re.compile(r"X|SYS|NODE|PHB|PXB|PIX|PSB|SOC|QPI|C2C|INT|NV[0-9]{1,3}")
STATUS = re.compile(r"X|OK|CNS|GNS|TNS|NS|DR|U|N/A|DISABLED")
NIC = re.compile(r"\s*(NIC[0-9]{1,3}): (\S+)")
TAB_CHARS = 8
CAPABILITIES = ("r", "w", "n", "a", "p")


@dataclass(frozen=True)
class Topology:
    """The matrix of `topo -m`."""

    devices: tuple[str, ...]
    """GPUs, then network cards, e.g. ("GPU0", "GPU1", "NIC0")."""
    connections: dict[tuple[str, str], str]
    """Pair → PIX, PXB, PHB, NODE, SYS, or NV with the number of links; both orders, not with itself."""
    cpu_affinity: dict[str, str | None]
    """GPU → CPUs, e.g. "0-23"; None if the driver does not know."""
    numa_affinity: dict[str, str | None]
    nics: dict[str, str]
    """NIC0 → mlx5_0, from the legend; empty if a matrix was copied without it."""

    @property
    def gpus(self) -> tuple[str, ...]:
        """GPUs in their order."""
        return tuple(name for name in self.devices if name.startswith("GPU"))


@dataclass(frozen=True)
class PeerStatus:
    """The matrix of `topo -p2p CAPABILITY`."""

    gpus: tuple[str, ...]
    status: dict[tuple[str, str], str]
    """Pair → OK, CNS (chipset not supported), GNS (GPU), TNS (topology), NS, DR (disabled by a registry key), U."""

    def can(self, one: str, other: str) -> bool:
        """Whether `one` reaches `other`."""
        return self.status[one, other] == "OK"


def parse(text: str) -> Topology:
    """Read `topo -m`, separated by tabs as it is printed, or by spaces as it is often copied.

    Raises:
        ToolFailure: nvidia-smi says that it failed.
        ParseError: cut off, another shape, a pair with two answers, or a row that cannot be told apart.
    """
    lines = transcript_of(TOOL, text, "nvidia-smi")
    failures.refuse_failures(lines)
    devices, columns, start = _header(lines)
    connections: dict[tuple[str, str], str] = {}
    affinities: dict[str, dict[str, str | None]] = {}
    for name, number in zip(devices, range(start + 1, start + 1 + len(devices)), strict=True):
        line = lines[number] if number < len(lines) else ""
        words, rest = _words(line, name, len(devices), columns, lines[start], number + 1)
        _take(connections, devices, name, words, CONNECTION, line, number + 1)
        affinities[name] = rest
    others = [affinities[name] for name in devices[:-1]]
    ends_bare = len(lines) == start + 1 + len(devices) and len(lines[-1].split()) == 1 + len(devices)
    is_told = not others or any(any(other.values()) for other in others)
    if ends_bare and columns and devices[-1].startswith("GPU") and is_told:
        raise ParseError(TOOL, f"cut off in the row of {devices[-1]}", line=lines[-1], line_number=len(lines))
    _symmetric(connections)
    _only_a_legend(lines, start + 1 + len(devices))
    nics = {match[1]: match[2] for line in lines if (match := NIC.fullmatch(line))}
    unnamed = [name for name in devices if name.startswith("NIC") and name not in nics]
    if unnamed and any(line.strip() == "Legend:" for line in lines):
        raise ParseError(TOOL, f"cut off: no name of {unnamed[0]}", line=lines[-1], line_number=len(lines))
    gpus = [name for name in devices if name.startswith("GPU")]
    return Topology(
        devices,
        connections,
        {name: affinities[name].get("CPU Affinity") for name in gpus},
        {name: affinities[name].get("NUMA Affinity") for name in gpus},
        nics,
    )


def parse_peers(text: str) -> PeerStatus:
    """Read `topo -p2p`.

    Raises:
        ToolFailure: nvidia-smi says that it failed.
        ParseError: cut off, or another shape.
    """
    lines = transcript_of(TOOL, text, "nvidia-smi")
    failures.refuse_failures(lines)
    gpus, columns, start = _header(lines)
    if columns:
        raise ParseError(TOOL, "not a matrix of -p2p", line=lines[start], line_number=start + 1)
    status: dict[tuple[str, str], str] = {}
    for name, number in zip(gpus, range(start + 1, start + 1 + len(gpus)), strict=True):
        line = lines[number] if number < len(lines) else ""
        words, _ = _words(line, name, len(gpus), columns, lines[start], number + 1)
        _take(status, gpus, name, words, STATUS, line, number + 1)
    _only_a_legend(lines, start + 1 + len(gpus))
    return PeerStatus(gpus, status)


def _header(lines: list[str]) -> tuple[tuple[str, ...], tuple[str, ...], int]:
    """Devices, further columns, and the header's place."""
    start = next(number for number, line in enumerate(lines) if line.strip())
    rest = lines[start]
    columns = tuple(name for name in AFFINITIES if name in rest)
    for name in columns:
        rest = rest.replace(name, " ", 1)
    devices = tuple(rest.split())
    known = all(DEVICE.fullmatch(name) for name in devices)
    if not known or "GPU0" not in devices or len(set(devices)) < len(devices) or len(devices) > 256:
        raise ParseError(TOOL, "no header of GPUs", line=lines[start], line_number=start + 1)
    return devices, columns, start


def _words(
    line: str, name: str, count: int, columns: tuple[str, ...], header: str, number: int
) -> tuple[list[str], dict[str, str | None]]:
    """The row's connections, and its further columns."""
    by_tabs = line.count("\t") >= count
    cells = [cell.strip() for cell in line.split("\t")] if by_tabs else line.split()
    if by_tabs and cells and not cells[0]:
        cells.pop(0)
    if not cells or cells[0] != name or len(cells) < count + 1 or not all(cells[: count + 1]):
        raise ParseError(TOOL, f"not a whole row of {name}", line=line, line_number=number)
    further = cells[count + 1 :]
    if not by_tabs and columns and _lacks_the_first(line, count + 1, header.find(columns[0])):
        further.insert(0, "")
    return cells[1 : count + 1], _columns(further, columns, line, number)


def _lacks_the_first(line: str, place: int, column: int) -> bool:
    """Whether the spaces before the word at `place` show an empty cell: it stands at the next stop of a terminal."""
    words = list(re.finditer(r"\S+", line))
    return column == TAB_CHARS * place and len(words) > place and words[place].start() == column + TAB_CHARS


def _columns(cells: list[str], columns: tuple[str, ...], line: str, number: int) -> dict[str, str | None]:
    """Tabs pad short values, so that empty cells mean nothing, but for the first one: no CPU affinity is known.

    By spaces, the place of the next word says the same.
    """
    if not any(cells):
        return dict.fromkeys(columns)
    filled = [cell for cell in cells if cell]
    if not cells[0]:
        filled.insert(0, "")
    if len(filled) != len(columns):
        raise ParseError(
            TOOL, f"{len(filled)} values for {', '.join(columns) or 'no column'}", line=line, line_number=number
        )
    unknown = [cell for cell in filled if AFFINITY.fullmatch(cell) is None]
    if unknown:
        raise ParseError(TOOL, f"{unknown[0][:20]!r} is no list of CPUs or nodes", line=line, line_number=number)
    return {name: None if cell in ("", "N/A") else cell for name, cell in zip(columns, filled, strict=True)}


def _take(
    pairs: dict[tuple[str, str], str],
    devices: tuple[str, ...],
    name: str,
    words: list[str],
    allowed: re.Pattern[str],
    line: str,
    number: int,
) -> None:
    for other, word in zip(devices, words, strict=True):
        if allowed.fullmatch(word) is None or (word == "X") != (other == name):
            raise ParseError(TOOL, f"{word[:20]!r} between {name} and {other}", line=line, line_number=number)
        if other != name:
            pairs[name, other] = word


def _symmetric(connections: dict[tuple[str, str], str]) -> None:
    for (one, other), connection in connections.items():
        if connections[other, one] != connection:
            raise ParseError(
                TOOL,
                "two answers for one pair",
                line=f"{one}-{other} {connection}, {other}-{one} {connections[other, one]}",
            )


def _only_a_legend(lines: list[str], start: int) -> None:
    for number, line in enumerate(lines[start:], start=start + 1):
        if not line.strip():
            continue
        if not line.strip().endswith("Legend:"):
            raise ParseError(TOOL, "a line below the matrix that is no legend", line=line, line_number=number)
        return


def read(host: Host) -> Topology:
    """The connections between the GPUs of `host`."""
    return parse(failures.run(host, "topo -m"))


def read_peers(host: Host, capability: str = "r") -> PeerStatus:
    """What the GPUs of `host` can do to each other: r(ead), w(rite), n(vlink), a(tomics), p(roprietary)."""
    if capability not in CAPABILITIES:
        raise ValueError(capability)
    return parse_peers(failures.run(host, f"topo -p2p {capability}"))

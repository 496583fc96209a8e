"""nvidia-smi -q: everything that the driver knows of every GPU, also with -d or -i."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from access.errors import ParseError
from access.host import Host
from probes.nvidia_smi import failures
from probes.nvidia_smi.gpu import QUANTITY, TOOL
from probes.nvidia_smi.gpu import Gpu as Gpu
from probes.pci_address import PciAddress
from probes.reading import transcript_of

TITLE = "NVSMI LOG"
GPU = re.compile(r"GPU ((?:[0-9A-Fa-f]{4,8}:)?[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.[0-7])")
LAST_SECTIONS = ("Processes", "Compute Processes")
"""A whole answer ends each GPU with its processes; newer drivers add sections below."""
WORDS = ("None", "N/A", "Yes", "Enabled", "Disabled", "enabled", "disabled", "Active", "Not Active", "Supported")
CUT_QUANTITY = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{0,6})?(?: ?[A-Za-z/]{0,4})?")
WITH_UNITS = re.compile(r"Temp|Power|Clocks|Memory Usage|Utilization|Fan Speed|Voltage|Throughput|Link Width")
"""Sections and fields whose numbers all have a unit."""


@dataclass(frozen=True)
class Query:
    """One answer."""

    driver_version: str
    cuda_version: str | None
    """The newest CUDA that this driver supports; before 410 it does not say."""
    gpus: tuple[Gpu, ...]
    warnings: tuple[str, ...]
    """Lines such as "WARNING: infoROM is corrupted at gpu 0000:04:00.0"."""


@dataclass(frozen=True)
class _Line:
    number: int
    indent: int
    key: str
    value: str | None
    """None: a section's heading."""
    raw: str


def parse(text: str, *, selected: bool = False) -> Query:
    """Read the answer; `selected` if it was asked for some of the GPUs only (-i).

    Raises:
        ToolFailure: nvidia-smi says that it failed. A value that it could not read is one only where it is used.
        ParseError: empty, cut off, another shape, or contradictory.
    """
    lines = transcript_of(TOOL, text, "nvidia-smi")
    failures.refuse_failures(lines)
    warnings = tuple(line.strip() for line in lines if failures.WARNING.fullmatch(line.strip()))
    found = list(_lines([line if line.strip() not in warnings else "" for line in lines]))
    starts = [place for place, line in enumerate(found) if line.value is None and GPU.fullmatch(line.key)]
    head = {line.key: line for line in found[: starts[0] if starts else len(found)]}
    driver = _head(head, lines, "Driver Version", "KMD Version")
    count = _head(head, lines, "Attached GPUs")
    ends = [*starts[1:], len(found)]
    gpus = tuple(_gpu(found[start:end]) for start, end in zip(starts, ends, strict=False))
    if not gpus or (not selected and count != str(len(gpus))):
        raise ParseError(TOOL, f"{len(gpus)} GPUs in the answer", line=f"Attached GPUs : {count}")
    _ended(text, found)
    _consistent(gpus, lines[-1])
    cuda = head["CUDA Version"].value if "CUDA Version" in head else None
    return Query(driver, failures.value_of(cuda) if cuda else None, gpus, warnings)


def _lines(lines: list[str]) -> Iterator[_Line]:
    titles = [number for number, line in enumerate(lines) if TITLE in line]
    if len(titles) != 1 or any(line.strip() for line in lines[: titles[0]]):
        at = titles[1] if len(titles) > 1 else next(number for number, line in enumerate(lines) if line.strip())
        raise ParseError(TOOL, f"not one title {TITLE} at the top", line=lines[at], line_number=at + 1)
    for number, line in enumerate(lines[titles[0] + 1 :], start=titles[0] + 2):
        if line.strip():
            key, colon, value = f"{line} ".partition(" : ")
            indent = len(line.expandtabs(8)) - len(line.expandtabs(8).lstrip())
            yield _Line(number, indent, key.strip(), value.strip() if colon else None, line)


def _head(head: dict[str, _Line], lines: list[str], *names: str) -> str:
    line = next((head[name] for name in names if name in head), None)
    if line is None or not line.value:
        raise ParseError(TOOL, f"no {names[0]}", line=line.raw if line else lines[-1])
    return failures.NOTE.sub("", line.value)


def _gpu(lines: list[_Line]) -> Gpu:
    heading = GPU.fullmatch(lines[0].key)
    address = PciAddress(heading[1] if heading else "")
    fields: dict[str, str | None] = {}
    unreadable: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for place, line in enumerate(lines[1:], start=1):
        while above and above[-1][0] >= line.indent:
            above.pop()
        following = lines[place + 1].indent if place + 1 < len(lines) else 0
        if line.indent <= lines[0].indent or (line.value is None and following <= line.indent):
            raise ParseError(TOOL, "neither a field nor a section with fields", line=line.raw, line_number=line.number)
        above.append((line.indent, line.key))
        if line.value is not None:
            path = "/".join(key for _, key in above)
            if path not in fields and failures.unreadable(line.value):
                unreadable[path] = line.value
            fields.setdefault(path, failures.value_of(line.value))
    if not fields:
        raise ParseError(TOOL, "a GPU without fields", line=lines[0].raw, line_number=lines[0].number)
    _whole(address, fields, lines[-1])
    return Gpu(address, fields, unreadable)


def _whole(address: PciAddress, fields: dict[str, str | None], last: _Line) -> None:
    sections = {path.split("/")[0] for path in fields}
    if "Product Name" in sections and not sections & set(LAST_SECTIONS):
        raise ParseError(TOOL, f"cut off within GPU {address}", line=last.raw, line_number=last.number)
    inside = fields.get("PCI/Bus Id")
    if inside is not None and PciAddress(inside) != address:
        raise ParseError(TOOL, f"GPU {address} tells another address", line=inside)


def _ended(text: str, lines: list[_Line]) -> None:
    """Where the last line has no end, its value must not be the beginning of another one."""
    last = lines[-1]
    if not text.rstrip(" \t").endswith(last.raw.strip()) or last.value is None:
        return
    section = next((line.key for line in reversed(lines) if line.indent < last.indent), "")
    if _may_go_on(last.value, f"{section}/{last.key}"):
        raise ParseError(TOOL, "cut off within a line", line=last.raw, line_number=last.number)


def _may_go_on(value: str, path: str) -> bool:
    """Whether a value may be cut: "62" of a temperature is one of "62 C", "Non" one of "None"."""
    if value == "No":
        return path.split("/")[-1] in LAST_SECTIONS
    if any(word.startswith(value) and word != value for word in WORDS):
        return True
    quantity = QUANTITY.fullmatch(value)
    has_unit = quantity is not None and quantity[2] is not None
    return not has_unit and CUT_QUANTITY.fullmatch(value) is not None and WITH_UNITS.search(path) is not None


def _consistent(gpus: tuple[Gpu, ...], last: str) -> None:
    uuids = [gpu.uuid for gpu in gpus if gpu.uuid]
    if len({gpu.address for gpu in gpus}) < len(gpus) or len(set(uuids)) < len(uuids):
        raise ParseError(TOOL, "a GPU twice", line=", ".join(gpu.address for gpu in gpus))
    seen = list(gpus[-1].fields)
    if any(len(gpu.fields) > len(seen) and list(gpu.fields)[: len(seen)] == seen for gpu in gpus):
        raise ParseError(TOOL, "cut off within the last GPU", line=last)


def read(host: Host) -> Query:
    """All GPUs of `host`."""
    return parse(failures.run(host, "-q"))

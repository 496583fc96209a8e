"""nvidia-smi -q: everything that the driver knows of every GPU, also with -d or -i."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from access.errors import ParseError
from access.host import Host
from probes.nvidia_smi import failures
from probes.pci_address import PciAddress
from probes.reading import WHOLE, transcript_of

TOOL = "nvidia-smi -q"
TITLE = "NVSMI LOG"
GPU = re.compile(r"GPU ((?:[0-9A-Fa-f]{4,8}:)?[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.[0-7])")
QUANTITY = re.compile(r"(-?[0-9]{1,12}(?:\.[0-9]{1,6})?) ?(x|%|C|W|MHz|MiB|MB|KB/s|mV|us)?")
UNCORRECTABLE = re.compile(r"Uncorrectable|Double Bit")
LAST_SECTIONS = ("Processes", "Compute Processes")
"""A whole answer ends each GPU with its processes; newer drivers add sections below."""
WORDS = ("None", "N/A", "Yes", "Enabled", "Disabled", "enabled", "disabled", "Active", "Not Active", "Supported")
CUT_QUANTITY = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{0,6})?(?: ?[A-Za-z/]{0,4})?")
WITH_UNITS = re.compile(r"Temp|Power|Clocks|Memory Usage|Utilization|Fan Speed|Voltage|Throughput|Link Width")
"""Sections and fields whose numbers all have a unit."""
REASONS = ("Clocks Event Reasons", "Clocks Throttle Reasons")


@dataclass(frozen=True)
class Gpu:
    """One GPU. None for what this driver or card does not report."""

    address: PciAddress
    fields: dict[str, str | None]
    """Every value by its path, e.g. "PCI/GPU Link Info/Link Width/Max": "16x". Of repeated ones the first."""

    def text(self, *paths: str) -> str | None:
        """The value at the first of the paths that is there: names differ by driver."""
        return next((self.fields[path] for path in paths if path in self.fields), None)

    def number(self, *paths: str) -> float | None:
        """As `text`, without its unit.

        Raises:
            ParseError: it is no number.
        """
        text = self.text(*paths)
        if text is None:
            return None
        match = QUANTITY.fullmatch(text)
        if match is None:
            raise ParseError(TOOL, f"{paths[0]} is no quantity", line=text)
        return float(match[1])

    def whole(self, *paths: str) -> int | None:
        """As `number`, where only whole ones make sense."""
        number = self.number(*paths)
        return None if number is None else int(number)

    def flag(self, *paths: str) -> bool | None:
        """Enabled or Yes, Disabled or No.

        Raises:
            ParseError: another word.
        """
        text = self.text(*paths)
        if text is not None and text not in ("Enabled", "Yes", "Disabled", "No"):
            raise ParseError(TOOL, f"{paths[0]} is neither on nor off", line=text)
        return None if text is None else text in ("Enabled", "Yes")

    @property
    def product_name(self) -> str | None:
        """E.g. "Tesla P100-PCIE-16GB"."""
        return self.text("Product Name")

    @property
    def uuid(self) -> str | None:
        """E.g. "GPU-10f35015-e921-bfab-2eb8-4e9b6664d5f1"."""
        return self.text("GPU UUID", "GPU Uuid")

    @property
    def serial(self) -> str | None:
        """Serial number of the board."""
        return self.text("Serial Number")

    @property
    def vbios(self) -> str | None:
        """E.g. "96.00.74.00.0D"."""
        return self.text("VBIOS Version")

    @property
    def product_id(self) -> str | None:
        """Four hexadecimal digits in lower case, e.g. "2330"."""
        text = self.text("PCI/Device Id")
        return None if text is None else text.removeprefix("0x")[:4].lower()

    @property
    def link_generation(self) -> tuple[int | None, int | None]:
        """Now and at most; an idle link runs at generation 1."""
        path = "PCI/GPU Link Info/PCIe Generation"
        return self.whole(f"{path}/Current"), self.whole(f"{path}/Max")

    @property
    def link_width(self) -> tuple[int | None, int | None]:
        """Lanes now and at most."""
        path = "PCI/GPU Link Info/Link Width"
        return self.whole(f"{path}/Current"), self.whole(f"{path}/Max")

    @property
    def memory_total_mib(self) -> int | None:
        """Memory of the card, less what ECC takes on cards without HBM."""
        return self.whole("FB Memory Usage/Total", "Memory Usage/Total")

    @property
    def memory_used_mib(self) -> int | None:
        """Memory in use."""
        return self.whole("FB Memory Usage/Used", "Memory Usage/Used")

    @property
    def temperature_c(self) -> float | None:
        """Temperature of the GPU."""
        return self.number("Temperature/GPU Current Temp", "Temperature/Gpu")

    @property
    def power_draw_w(self) -> float | None:
        """Power that the GPU takes."""
        return self.number(
            "GPU Power Readings/Power Draw",
            "GPU Power Readings/Instantaneous Power Draw",
            "GPU Power Readings/Average Power Draw",
            "Power Readings/Power Draw",
        )

    @property
    def power_limit_w(self) -> float | None:
        """Power that it may take now."""
        return self.number(
            "GPU Power Readings/Current Power Limit", "Power Readings/Power Limit", "GPU Power Readings/Power Limit"
        )

    @property
    def is_persistence_mode_on(self) -> bool | None:
        """Whether the driver keeps the card initialised."""
        return self.flag("Persistence Mode")

    @property
    def is_mig_on(self) -> bool | None:
        """Whether the card is partitioned; None if it cannot be."""
        return self.flag("MIG Mode/Current")

    @property
    def is_ecc_on(self) -> bool | None:
        """Whether memory is protected now."""
        return self.flag("ECC Mode/Current", "Ecc Mode/Current")

    @property
    def uncorrectable_errors(self) -> dict[str, int]:
        """Counters of uncorrectable (or double-bit) memory errors that the driver reports, by path below ECC Errors."""
        names = [path for path in self.fields if path.startswith("ECC Errors/") and UNCORRECTABLE.search(path)]
        counted = {path.removeprefix("ECC Errors/"): self.fields[path] for path in names}
        return {path: int(count) for path, count in counted.items() if count is not None and WHOLE.fullmatch(count)}

    @property
    def retired_pages(self) -> tuple[int | None, int | None]:
        """For single-bit and for double-bit errors (before Ampere)."""
        return self.whole("Retired Pages/Single Bit ECC"), self.whole("Retired Pages/Double Bit ECC")

    @property
    def is_retirement_pending(self) -> bool | None:
        """Whether pages (before Ampere) or rows wait for a reset to be replaced."""
        told = [
            self.flag("Retired Pages/Pending Page Blacklist", "Retired Pages/Pending"),
            self.flag("Remapped Rows/Pending"),
        ]
        return None if told == [None, None] else any(told)

    @property
    def remapped_rows(self) -> tuple[int | None, int | None]:
        """For correctable and for uncorrectable errors (Ampere and newer)."""
        return self.whole("Remapped Rows/Correctable Error"), self.whole("Remapped Rows/Uncorrectable Error")

    @property
    def has_remapping_failed(self) -> bool | None:
        """Whether a row could not be replaced: the card is to be exchanged."""
        return self.flag("Remapped Rows/Remapping Failure Occurred")

    @property
    def active_throttle_reasons(self) -> tuple[str, ...] | None:
        """What holds the clocks down now, e.g. ("SW Power Cap",)."""
        found = [path for path in self.fields if path.split("/")[0] in REASONS]
        return tuple(path.split("/")[-1] for path in found if self.fields[path] == "Active") if found else None


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
        ToolFailure: nvidia-smi says that it failed, or could not read a value (ERR!).
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
    return Query(driver, None if cuda in failures.ABSENT else cuda, gpus, warnings)


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
    return line.value


def _gpu(lines: list[_Line]) -> Gpu:
    heading = GPU.fullmatch(lines[0].key)
    address = PciAddress(heading[1] if heading else "")
    fields: dict[str, str | None] = {}
    above: list[tuple[int, str]] = []
    for place, line in enumerate(lines[1:], start=1):
        while above and above[-1][0] >= line.indent:
            above.pop()
        following = lines[place + 1].indent if place + 1 < len(lines) else 0
        if line.indent <= lines[0].indent or (line.value is None and following <= line.indent):
            raise ParseError(TOOL, "neither a field nor a section with fields", line=line.raw, line_number=line.number)
        above.append((line.indent, line.key))
        if line.value is not None:
            value = failures.value_of(line.value, line.raw, line.number)
            fields.setdefault("/".join(key for _, key in above), value)
    if not fields:
        raise ParseError(TOOL, "a GPU without fields", line=lines[0].raw, line_number=lines[0].number)
    _whole(address, fields, lines[-1])
    return Gpu(address, fields)


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

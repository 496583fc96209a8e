"""nvidia-smi --query-gpu=FIELDS --format=csv: chosen values of every GPU."""

from __future__ import annotations

import re
from dataclasses import dataclass

from access.errors import ParseError
from access.host import Host
from probes.nvidia_smi import failures
from probes.reading import transcript_of

TOOL = "nvidia-smi --query-gpu"
NAME = re.compile(r"([a-z0-9_]+(?:\.[a-z0-9_]+)*)(?: \[(.{1,16})\])?")
UNIQUE = ("index", "uuid", "gpu_uuid", "pci.bus_id", "gpu_bus_id", "minor_number")
LIMIT_ROWS = 1024


@dataclass(frozen=True)
class Table:
    """One row a GPU."""

    units: dict[str, str | None]
    """Field → unit as the header gives it, e.g. "memory.total": "MiB"; None without."""
    rows: tuple[dict[str, str | None], ...]
    """Field → value without its unit; None where the card has none (N/A)."""


def parse(text: str, fields: tuple[str, ...] | None = None) -> Table:
    """Read the answer; with `noheader` the caller names the fields.

    Raises:
        ToolFailure: nvidia-smi says that it failed, or could not read a value ([Unknown Error]).
        ParseError: another shape, a row cut off, or a GPU twice.
    """
    lines = transcript_of(TOOL, text, "nvidia-smi")
    failures.refuse_failures(lines)
    numbered = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    warnings = [line for _, line in numbered if failures.WARNING.fullmatch(line.strip())]
    numbered = [(number, line) for number, line in numbered if line not in warnings]
    units: dict[str, str | None] = dict.fromkeys(fields or ())
    if not fields:
        units = _header(*numbered.pop(0)) if numbered else {}
    if not numbered or len(numbered) > LIMIT_ROWS:
        raise ParseError(TOOL, "no row of a GPU, or too many", line=lines[-1])
    if text.rstrip(" \t").endswith(","):
        raise ParseError(TOOL, "cut off within the last row", line=lines[-1], line_number=len(lines))
    rows = tuple(_row(units, line, number) for number, line in numbered)
    _unique(rows, lines[-1])
    return Table(units, rows)


def _header(number: int, line: str) -> dict[str, str | None]:
    matches = [NAME.fullmatch(word.strip()) for word in line.split(",")]
    units = {match[1]: match[2] for match in matches if match}
    if len(units) != len(matches):
        raise ParseError(TOOL, "no header of field names", line=line, line_number=number)
    return units


def _row(units: dict[str, str | None], line: str, number: int) -> dict[str, str | None]:
    words = [word.strip() for word in line.split(",")]
    if len(words) != len(units):
        raise ParseError(TOOL, f"{len(words)} values for {len(units)} fields", line=line, line_number=number)
    row = {}
    for (name, unit), word in zip(units.items(), words, strict=True):
        if word.startswith("[") != word.endswith("]"):
            raise ParseError(TOOL, f"{name} is cut off", line=line, line_number=number)
        value = failures.value_of(word, line, number)
        if value is not None and unit is not None:
            value = value.removesuffix(unit).strip()
            if not re.fullmatch(r"-?[0-9]{1,12}(?:\.[0-9]{1,6})?", value):
                raise ParseError(TOOL, f"{name} is no quantity in {unit}", line=line, line_number=number)
        row[name] = value
    return row


def _unique(rows: tuple[dict[str, str | None], ...], line: str) -> None:
    for name in UNIQUE:
        values = [row[name] for row in rows if row.get(name) is not None]
        if len(set(values)) < len(values):
            raise ParseError(TOOL, f"a GPU twice, by its {name}", line=line)


def read(host: Host, fields: tuple[str, ...]) -> Table:
    """Values of all GPUs of `host`.

    Raises:
        ParseError: also where a field is missing in the answer.
    """
    table = parse(failures.run(host, f"--query-gpu={','.join(fields)} --format=csv"))
    if len(table.units) != len(fields):
        raise ParseError(TOOL, f"{len(fields)} fields were asked for", line=", ".join(table.units))
    return table

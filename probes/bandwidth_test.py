"""bandwidthTest of the CUDA samples, quick mode, one device."""

from __future__ import annotations

import re
from dataclasses import dataclass

from probes.cuda_samples import run_sample
from probes.host import Host
from probes.reading import lines_of
from provisioning.errors import ParseError

TOOL = "bandwidthTest"
TITLE = re.compile(r"^(Host to Device|Device to Host|Device to Device) Bandwidth, \d+ Device\(s\)")
DIRECTION = {"Host to Device": "h2d", "Device to Host": "d2h", "Device to Device": "d2d"}
ROW = re.compile(r"^(\d+)\s+(\d+(?:\.\d+)?)$")
COLUMNS = re.compile(r"Transfer Size \(Bytes\)\s+Bandwidth\((GB/s|MB/s)\)")


@dataclass(frozen=True)
class BandwidthTest:
    """Bandwidth of one device by direction: h2d, d2h, d2d."""

    gb_per_s: dict[str, float]


def parse(text: str) -> BandwidthTest:
    """Read a passing run with all three directions.

    Raises:
        ParseError: no PASS, a direction missing or twice, or a row of another shape.
    """
    lines = [line.strip() for line in lines_of(TOOL, text)]
    if "Result = PASS" not in lines:
        raise ParseError(TOOL, "no Result = PASS", line=lines[-1])
    found: dict[str, float] = {}
    direction, scale = "", 1.0
    for number, line in enumerate(lines, start=1):
        if title := TITLE.match(line):
            direction = DIRECTION[title[1]]
        elif columns := COLUMNS.search(line):
            scale = 1.0 if columns[1] == "GB/s" else 0.001
        elif row := ROW.match(line):
            if not direction or direction in found:
                raise ParseError(TOOL, "a figure without direction, or a second one", line=line, line_number=number)
            found[direction] = float(row[2]) * scale
    missing = set(DIRECTION.values()) - set(found)
    if missing:
        raise ParseError(TOOL, f"no figure for {', '.join(sorted(missing))}")
    return BandwidthTest(found)


def read(host: Host, device: int) -> BandwidthTest:
    """Measure one device of `host`."""
    return parse(run_sample(host, TOOL, f"--device={device}").stdout)

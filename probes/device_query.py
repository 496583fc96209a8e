"""deviceQuery of the CUDA samples."""

from __future__ import annotations

import re
from dataclasses import dataclass

from probes.cuda_samples import run_sample
from probes.host import Host
from probes.reading import lines_of
from provisioning.errors import ParseError

TOOL = "deviceQuery"
DEVICE = re.compile(r'^Device (\d+): "(.+)"$')
CAPABILITY = re.compile(r"CUDA Capability Major/Minor version number:\s+(\d+\.\d+)")
MEMORY = re.compile(r"Total amount of global memory:\s+(\d+) MBytes \((\d+) bytes\)")
VERSIONS = re.compile(r"CUDA Driver Version / Runtime Version\s+(\d+\.\d+) / (\d+\.\d+)")
RESULT = re.compile(r"Result = (PASS|FAIL)\s*$")


@dataclass(frozen=True)
class Device:
    """One CUDA device."""

    index: int
    name: str
    compute_capability: str
    memory_bytes: int


@dataclass(frozen=True)
class DeviceQuery:
    """All devices that CUDA sees."""

    driver_version: str
    runtime_version: str
    devices: tuple[Device, ...]


def parse(text: str) -> DeviceQuery:
    """Read a passing run.

    Raises:
        ParseError: no PASS, no device, or a device without capability or memory.
    """
    lines = lines_of(TOOL, text)
    results = [match[1] for line in lines if (match := RESULT.search(line))]
    if results != ["PASS"]:
        said = next((line for line in lines if line.startswith("->") or "returned" in line), lines[-1])
        raise ParseError(TOOL, f"the result is {results or 'missing'}", line=said)
    starts = [(number, match) for number, line in enumerate(lines) if (match := DEVICE.match(line.strip()))]
    versions = next((match for line in lines if (match := VERSIONS.search(line))), None)
    if not starts or versions is None:
        raise ParseError(TOOL, "no device in a passing run")
    ends = [number for number, _ in starts[1:]] + [len(lines)]
    devices = tuple(_device(match, lines[start:end], start) for (start, match), end in zip(starts, ends, strict=True))
    return DeviceQuery(versions[1], versions[2], devices)


def _device(match: re.Match[str], block: list[str], start: int) -> Device:
    text = "\n".join(block)
    capability, memory = CAPABILITY.search(text), MEMORY.search(text)
    if capability is None or memory is None:
        raise ParseError(TOOL, "a device without capability or memory", line=match[0], line_number=start + 1)
    return Device(int(match[1]), match[2], capability[1], int(memory[2]))


def read(host: Host) -> DeviceQuery:
    """Devices that CUDA sees on `host`."""
    return parse(run_sample(host, TOOL).stdout)

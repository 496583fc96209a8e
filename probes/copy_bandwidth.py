"""H2D, D2H and D2D of every GPU, by bandwidthTest, or by nvbandwidth where CUDA has no bandwidthTest any more.

Both copy pinned memory by the copy engine. D2D counts what is read and what is written: bandwidthTest does so itself,
nvbandwidth counts a local copy once.
https://github.com/NVIDIA/cuda-samples (CHANGELOG: bandwidthTest left with CUDA 12.9)
"""

from __future__ import annotations

from dataclasses import dataclass

from access.errors import ParseError, ToolMissing
from access.host import Host
from probes import bandwidth_sample, nvbandwidth, nvbandwidth_run
from probes.cuda_samples import path_of, run_sample
from probes.nvbandwidth_run import NvBandwidth

BEYOND_CACHES_BYTES = 256_000_000
"""Two buffers of this size fit no L2 cache: B200, the largest, has 126 MB."""
READ_AND_WRITTEN = 2
NVBANDWIDTH_TESTS = ("host_to_device_memcpy_ce", "device_to_host_memcpy_ce", "device_local_copy")


@dataclass(frozen=True)
class CopyBandwidth:
    """One run over all GPUs."""

    tool: str
    """bandwidthTest or nvbandwidth."""
    gb_per_s: tuple[dict[str, float], ...]
    """By device: h2d, d2h and d2d in 10^9 bytes a second."""


def read(host: Host, devices: int) -> CopyBandwidth:
    """Measure `devices` GPUs of `host` once.

    Raises:
        ToolMissing: there is neither tool.
        ParseError: also where a device or direction has no figure.
    """
    try:
        path = path_of(host, bandwidth_sample.TOOL)
    except ToolMissing:
        return from_nvbandwidth(nvbandwidth.read(host, NVBANDWIDTH_TESTS), devices)
    figures = tuple(_by_bandwidth_test(host, device, path) for device in range(devices))
    return CopyBandwidth(bandwidth_sample.TOOL, figures)


def _by_bandwidth_test(host: Host, device: int, path: str) -> dict[str, float]:
    """The 32 MB of quick mode stay in newer cards' L2: D2D is measured again beyond it."""
    figures = dict(bandwidth_sample.read(host, device, path=path).gb_per_s)
    size = BEYOND_CACHES_BYTES
    options = f"--device={device} --dtod --mode=range --start={size} --end={size} --increment={size}"
    figures |= bandwidth_sample.parse(run_sample(host, bandwidth_sample.TOOL, options, path=path).stdout).gb_per_s
    return figures


def from_nvbandwidth(run: NvBandwidth, devices: int) -> CopyBandwidth:
    """The same quantities from a run of nvbandwidth.

    Raises:
        ParseError: a test did not run, or has figures of another number of devices.
    """
    columns = [run.per_device(test) for test in NVBANDWIDTH_TESTS]
    figures = []
    for values in zip(*columns, strict=True):
        if None in values:
            raise ParseError(nvbandwidth_run.TOOL, "a device without figure", line=str(values))
        h2d, d2h, local = (float(value or 0) for value in values)
        figures.append({"h2d": h2d, "d2h": d2h, "d2d": local * READ_AND_WRITTEN})
    if len(figures) != devices:
        raise ParseError(nvbandwidth_run.TOOL, f"figures of {len(figures)} devices, {devices} were asked for")
    return CopyBandwidth(nvbandwidth_run.TOOL, tuple(figures))

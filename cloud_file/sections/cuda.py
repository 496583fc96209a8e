"""What an instance installs."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from access.endpoint import Section
from cloud_file.sections.values import PackageName, Positive, Url

SAMPLES = ("deviceQuery", "bandwidthTest", "p2pBandwidthLatencyTest", "simpleP2P", "matrixMul")

SampleName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./-]*[A-Za-z0-9_]$", max_length=255)]


class Cuda(Section):
    """What the guest installs."""

    version: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,3}\.[0-9]{1,3}$")]
    """Toolkit, e.g. "9.0"; the path follows from it: /usr/local/cuda-9.0."""
    installed: bool = False
    """The image brings driver and toolkit: nothing is installed, only samples that are missing are built."""
    packages: tuple[PackageName, ...] = ()
    """Pinned packages, e.g. cuda-9-0 and the driver's."""
    repository: Url | None = None
    """URL of the package (.rpm, .deb) or .repo file that makes NVIDIA's repository known."""
    samples_archive: Url | None = None
    """URL of a .tar.gz of the samples' source, for CUDA 11.6 and newer, whose toolkit brings none."""
    samples: tuple[SampleName, ...] | None = None
    """Samples to build, by the names of their folders; what the CUDA suite needs where this is left out."""
    timeout_min: Positive = 30

    @property
    def sample_names(self) -> tuple[str, ...]:
        """Names without folders, which differ by version; bandwidthTest left the samples with CUDA 12.9."""
        if self.samples is not None:
            return tuple(sample.rsplit("/", 1)[-1] for sample in self.samples)
        major, minor = map(int, self.version.split("."))
        return SAMPLES if (major, minor) < (12, 9) else tuple(name for name in SAMPLES if name != "bandwidthTest")

"""Hosts, the GPUs in them, and the aliases by which flavors ask for these."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from access.endpoint import Address, Section
from cloud_file.sections.gpu_facts import GpuFacts
from cloud_file.sections.values import HexId, Name, Positive
from probes.references import NVIDIA_VENDOR_ID

Role = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$", max_length=60)]


class GpuModel(Section):
    """One GPU model, as Nova selects it."""

    model: Name
    """Its name in probes/references, e.g. P100-PCIE-16GB; of a model that is not there any name, with `facts`."""
    vendor_id: HexId = NVIDIA_VENDOR_ID
    product_id: HexId
    device_type: Literal["type-PCI", "type-PF", "type-VF"]
    """type-PF when the card's firmware offers SR-IOV, otherwise type-PCI; P100: type-PCI.

    https://docs.openstack.org/nova/latest/admin/pci-passthrough.html
    """

    facts: GpuFacts | None = None
    """What probes/references lack; what they have holds."""
    ecc: bool = True
    """Whether its memory must be protected, if the card can: `false` for cards that run without ECC on purpose."""


class ExpectedGpus(Section):
    """So many GPUs of one model."""

    model: Name
    count: Positive


class DeclaredHost(Section):
    """A machine of the cloud and what should be in it."""

    name: Name
    role: Role = "Host"
    """Controller, Compute or one of your own (TripleO's where it deploys); kind host needs none."""
    address: Address | None = None
    """Known address; otherwise asked from the undercloud. For kind host also `localhost`: commands are run here."""
    gpus: tuple[ExpectedGpus, ...] = ()
    firmware: Literal["bios", "uefi"] | None = None
    cpu_vendor: Literal["intel", "amd", "arm"] | None = None
    runs_instances: bool | None = Field(default=None, alias="is_compute")
    """Whether instances run here; without it the role's name and the cards tell."""
    runs_apis: bool | None = Field(default=None, alias="is_controller")
    """Whether the OpenStack APIs run here; without it the role's name tells."""

    @property
    def gpu_count(self) -> int:
        """GPUs of all models."""
        return sum(gpu.count for gpu in self.gpus)

    @property
    def is_compute(self) -> bool:
        """Whether instances run here: as the file says, else the role's name (gpu-compute), else its cards."""
        if self.runs_instances is not None:
            return self.runs_instances
        named = any(word in self.role.lower() for word in ("compute", "hypervisor"))
        return named or bool(self.gpus and not self.is_controller)

    @property
    def is_controller(self) -> bool:
        """Whether the OpenStack APIs run here: as the file says; else the role's name tells, as in control-plane."""
        if self.runs_apis is not None:
            return self.runs_apis
        return "control" in self.role.lower()


class PciAlias(Section):
    """A name by which a flavor asks for a device."""

    name: Name
    gpu: Name
    numa_policy: Literal["legacy", "required", "preferred", "socket"] | None = None

"""A fault that is put into a healthy lab makes the right check fail, and no other layer's.

Provisions once (under a minute), so it is not part of `make test`: `make system` runs it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from whole_lab import WholeLab

from reports.records import Verdict


@pytest.fixture(scope="module")
def provisioned(lab: WholeLab) -> Iterator[WholeLab]:
    """A lab that was provisioned and accepted."""
    run = lab.accept("--keep")
    assert run.exit_code == 0, run.output
    assert set(run.verdicts.values()) == {Verdict.PASSED}
    yield lab
    lab.accept("--cleanup")


GRUB = "grub2-mkconfig -o /boot/grub2/grub.cfg"
NOVA_CONF = "/etc/nova/nova.conf"
FAULTS = {
    "kernel argument only in the running kernel": (
        "compute-0", 'sed -i "s/ intel_iommu=on//" /etc/default/grub', None,
        ("host.iommu.grub_defaults", "compute-0"), 'sed -i "s/iommu=pt/intel_iommu=on iommu=pt/" /etc/default/grub',
    ),
    "alias missing on one compute": (
        "compute-1", f'cp {NOVA_CONF} /root/nova.conf; sed -i "/a1/d" {NOVA_CONF}', "nova-compute-compute-1",
        ("control_plane.alias.compute", "compute-1"), f"cp /root/nova.conf {NOVA_CONF}",
    ),
    "PCI filter missing": (
        "controller-0", f'cp {NOVA_CONF} /root/nova.conf; sed -i "s/,PciPassthroughFilter//" {NOVA_CONF}', "nova-scheduler",
        ("control_plane.filters.pci", "controller-0"), f"cp /root/nova.conf {NOVA_CONF}",
    ),
    "whitelist with another product id": (
        "compute-0", f'cp {NOVA_CONF} /root/nova.conf; sed -i "/passthrough_whitelist/s/15f8/15f9/" {NOVA_CONF}', None,
        ("control_plane.device_spec.matches", "compute-0"), f"cp /root/nova.conf {NOVA_CONF}",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_the_right_check_fails(provisioned: WholeLab, fault: str):
    """One cause, one place: the check of that layer fails there, everything else stays as it was."""
    host, inject, service, expected, mend = FAULTS[fault]
    provisioned.on(host, inject)
    if service:
        provisioned.command("restart", service)

    run = provisioned.accept("--reuse")
    provisioned.on(host, mend)

    assert run.exit_code == 1
    allowed = {expected, ("host.iommu.unchanged_since_boot", host), ("host.iommu.boot_entry", host)}
    assert expected in run.failed()
    assert run.failed() <= allowed


def test_a_driver_that_was_never_built_is_found_in_the_guest(provisioned: WholeLab):
    """Without the module nvidia is not loaded: the instance's checks say so, those of the hosts stay green."""
    provisioned.command(
        "ssh", "gpuacc-one-card", "modprobe", "-r", "nvidia_drm", "nvidia_modeset", "nvidia_uvm", "nvidia"
    )

    run = provisioned.accept("--reuse")

    assert run.exit_code == 1
    assert run.verdicts["instance.driver.loaded", "one-card"] is Verdict.FAILED
    assert run.verdicts["instance.driver.loaded", "all-cards"] is Verdict.PASSED
    assert all(
        verdict is Verdict.PASSED
        for (check, _), verdict in run.verdicts.items()
        if check.startswith(("host.", "control_plane."))
    )

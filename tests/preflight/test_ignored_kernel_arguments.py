"""What is meant to turn Intel's IOMMU on and is no word of the kernel's: in node sets, grub files and scripts."""

from __future__ import annotations

from pathlib import Path

import pytest

from preflight.cli import inspect

NODE_SET = """\
apiVersion: dataplane.openstack.org/v1beta1
kind: OpenStackDataPlaneNodeSet
metadata: {{name: gpu}}
spec: {{nodeTemplate: {{ansible: {{ansibleVars: {{edpm_kernel_args: "{argument} iommu=pt"}}}}}}}}
"""
GRUB = 'GRUB_CMDLINE_LINUX="rhgb {argument} iommu=pt"\n'
SCRIPT = "#!/bin/bash\nset -e\ngrubby --update-kernel=ALL --args='{argument} iommu=pt'\n"
PLACES = {"nodeset.yaml": NODE_SET, "etc/default/grub": GRUB, "setup.sh": SCRIPT}
IGNORED = ("intel_iommu=On", "intel_iommu=1", "intel_iommu=yes", "intel_iommu=pt", "intel_iomu=on", "inteliommu=on")
READ = (
    "intel_iommu=on",
    "intel-iommu=on",
    "intel_iommu=on,sm_on",
    "amd_iommu=on",
    "intel_pstate=disable intel_iommu=on",
)


def _codes(folder: Path, place: str, argument: str) -> list[str]:
    file = folder / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(PLACES[place].format(argument=argument), encoding="utf-8")
    return [finding.code for finding in inspect([folder])[1]]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("argument", IGNORED)
def test_an_argument_that_the_kernel_ignores_is_found(tmp_path: Path, place: str, argument: str) -> None:
    """Whichever file it stands in."""
    assert _codes(tmp_path, place, argument).count("GP417") == 1


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("argument", READ)
def test_an_argument_that_the_kernel_reads_is_right(tmp_path: Path, place: str, argument: str) -> None:
    """With - or _ in its name, among other options, beside other arguments of Intel's."""
    assert "GP417" not in _codes(tmp_path, place, argument)

"""Which kernel arguments leave the IOMMU on."""

from __future__ import annotations

import pytest

from access.errors import ParseError
from probes import kernel_cmdline


@pytest.mark.parametrize(
    ("text", "vendor", "is_on"),
    [
        ("ro intel_iommu=on", "intel", True),
        ("ro intel_iommu=on,sm_on", "intel", True),
        ("ro intel_iommu=on intel_iommu=sm_on", "intel", True),
        ("ro intel_iommu=off intel_iommu=on", "intel", True),
        ("ro intel_iommu=on intel_iommu=off", "intel", False),
        ("ro intel_iommu=on iommu=off", "intel", False),
        ("ro iommu=pt", "intel", False),
        ("ro intel_iommu=sm_on", "intel", False),
        ("ro -- intel_iommu=on", "intel", False),
        ('ro "intel_iommu=on"', "intel", True),
        ("ro intel-iommu=on", "intel", True),
        ("ro intel_iommu=On", "intel", False),
        ("ro intel_iommu=pt", "intel", False),
        ("ro intel_iommu=on iommu=pt,off", "intel", False),
        ("ro iommu=pt", "amd", True),
        ("ro amd_iommu=off", "amd", False),
        ("ro amd_iommu=fullflush,off", "amd", False),
        ("ro amd_iommu=on", "amd", True),
    ],
)
def test_iommu(text: str, vendor: str, is_on: bool):
    """The last of contradicting arguments decides, per vendor, whether the IOMMU is on."""
    assert kernel_cmdline.turns_iommu_on(kernel_cmdline.parse(text).arguments, vendor) is is_on


def test_blanks_within_quotes_do_not_separate():
    """A quoted blank belongs to its argument."""
    found = kernel_cmdline.parse('ro dyndbg="file drivers/usb/* +p" iommu=pt iommu=strict\n')

    assert found.arguments == ("ro", 'dyndbg="file drivers/usb/* +p"', "iommu=pt", "iommu=strict")
    assert found.values("iommu") == ("pt", "strict")
    assert found.values("dyndbg") == ("file drivers/usb/* +p",)


@pytest.mark.parametrize("text", ["ro\nquiet\n", "ro \0 quiet", "ro \ufffd"])
def test_what_is_no_command_line(text: str):
    """Several lines, or characters that no command line has, are a ParseError."""
    with pytest.raises(ParseError):
        kernel_cmdline.parse(text)

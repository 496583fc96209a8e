"""Forms of /etc/default/grub and of the boot loader's own files beside those of the samples."""

from __future__ import annotations

import pytest

from access.errors import ParseError
from probes import grub


def test_tripleo_appends_kernel_arguments_through_a_variable():
    """TripleO's arguments in a variable of their own are found in the expanded value."""
    text = (
        'GRUB_CMDLINE_LINUX="console=tty0 crashkernel=auto"\n'
        'TRIPLEO_HEAT_TEMPLATE_KERNEL_ARGS=" intel_iommu=on iommu=pt "\n'
        'GRUB_CMDLINE_LINUX="${GRUB_CMDLINE_LINUX:+$GRUB_CMDLINE_LINUX }${TRIPLEO_HEAT_TEMPLATE_KERNEL_ARGS}"\n'
    )

    assert grub.parse_defaults(text).arguments == ("console=tty0", "crashkernel=auto", "intel_iommu=on", "iommu=pt")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('GRUB_A="x"\nGRUB_A+=" y"\n', "x y"),
        ("GRUB_A=x # why\n", "x"),
        ('export GRUB_A="x"\n', "x"),
        ("GRUB_A='$x'\n", "$x"),
        ('GRUB_A="x \\\ny"\n', "x y"),
        ('GRUB_A="${B:-z}"\n', "z"),
        ("GRUB_A=\n", ""),
    ],
)
def test_assignments(text: str, value: str):
    """Quotes, comments, export, +=, continued lines and defaults are read as the shell reads them."""
    assert grub.parse_defaults(text).variables["GRUB_A"] == value


@pytest.mark.parametrize("text", ["GRUB_A=x y\n", "if true; then\n", "GRUB A=x\n", "# nothing\n"])
def test_what_is_no_assignment(text: str):
    """A line that assigns nothing is a ParseError."""
    with pytest.raises(ParseError):
        grub.parse_defaults(text)


def test_the_saved_entry_is_chosen_by_place_id_or_title():
    """grub finds the saved entry by number, id or title, also below a submenu."""
    entries = tuple(grub.BootEntry("grub.cfg", f"/k{name}", (), f"Title {name}", f"id-{name}") for name in "ab")

    assert grub.chosen(entries, "1") is entries[1]
    assert grub.chosen(entries, "id-b") is entries[1]
    assert grub.chosen(entries, "Title a") is entries[0]
    assert grub.chosen(entries, "sub>id-a") is entries[0]
    assert grub.chosen(entries, "7") is None
    assert grub.chosen(entries, "") is None


def test_arguments_of_a_menu_come_from_grubenv_and_set():
    """Variables in an entry's arguments come from grubenv and from `set`."""
    text = "set more=\"quiet splash\"\nmenuentry 'x' {\n linux /k root=/dev/sda1 $more ${kernelopts} $unknown\n}\n"

    entry = grub.parse_menu(text, {"kernelopts": "intel_iommu=on"}).entries[0]

    assert entry.arguments == ("root=/dev/sda1", "quiet", "splash", "intel_iommu=on")
    assert grub.parse_config(text) == grub.parse_menu(text).entries[0]


def test_options_of_a_loader_entry_may_stand_on_several_lines():
    """Several lines of options are joined in their order."""
    text = "title x\nlinux /k\noptions root=/dev/sda1\noptions intel_iommu=on\n"

    assert grub.parse_loader_entry(text, "", "/e/a.conf").arguments == ("root=/dev/sda1", "intel_iommu=on")


@pytest.mark.parametrize(
    "text", ["title x\nlinux /k\n", "linux\noptions x\n", "options x\n", "?? x\nlinux /k\noptions x\n"]
)
def test_a_loader_entry_without_kernel_or_options(text: str):
    """An entry without a kernel or without options is a ParseError."""
    with pytest.raises(ParseError):
        grub.parse_loader_entry(text, "", "/e/a.conf")

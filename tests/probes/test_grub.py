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


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ('GRUB_CMDLINE_LINUX="a\nintel_iommu=on"\n', ("a", "intel_iommu=on")),
        ("GRUB_CMDLINE_LINUX='a\n\n  b'\nGRUB_TIMEOUT=1\n", ("a", "b")),
        ('GRUB_TIMEOUT=1; GRUB_CMDLINE_LINUX="a"; export GRUB_TIMEOUT\n', ("a",)),
        ('if [ -e /x ]; then\n  GRUB_TIMEOUT=0\nelse\n  GRUB_TIMEOUT=1\nfi\nGRUB_CMDLINE_LINUX="a"\n', ("a",)),
        ('[ -r /etc/os-release ] && . /etc/os-release\nGRUB_CMDLINE_LINUX="a"\n', ("a",)),
        (". /etc/lsb-release\nunset GRUB_TERMINAL\nGRUB_CMDLINE_LINUX=a\n", ("a",)),
        ('f() {\n  echo x\n}\nGRUB_DISTRIBUTOR="$(f)"\nGRUB_CMDLINE_LINUX="a" # b\n', ("a",)),
        ('case $x in\n  y) GRUB_TIMEOUT=1;;\nesac\nGRUB_CMDLINE_LINUX="a"\nexport GRUB_CMDLINE_LINUX\n', ("a",)),
        (
            "GRUB_DISTRIBUTOR=`( . /etc/os-release; echo ${NAME:-U} ) 2>/dev/null || echo U`\nGRUB_CMDLINE_LINUX=a\n",
            ("a",),
        ),
        ('GRUB_CMDLINE_LINUX="a \\\n  b=c"\n', ("a", "b=c")),
        ("GRUB_CMDLINE_LINUX=quiet intel_iommu=on\n", ("quiet",)),
        ('GRUB_CMDLINE_LINUX="a" && export GRUB_CMDLINE_LINUX || true\n', ("a",)),
        ("GRUB_TIMEOUT=0 /usr/bin/x\nGRUB_CMDLINE_LINUX=\"a\"  # don't touch\n# it's mine\n", ("a",)),
        ('GRUB_CMDLINE_LINUX="$(echo a; echo b) c"\n', ("$(echo", "a;", "echo", "b)", "c")),
    ],
)
def test_what_distributions_write_beside_assignments(text: str, arguments: tuple[str, ...]):
    """It is a shell's file: other statements are passed over."""
    assert grub.parse_defaults(text).arguments == arguments


@pytest.mark.parametrize(
    "text",
    [
        'if [ -e /x ]; then\n  GRUB_CMDLINE_LINUX="a"\nelse\n  GRUB_CMDLINE_LINUX="b"\nfi\n',
        'GRUB_CMDLINE_LINUX="a"\n[ -e /x ] && GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX b"\n',
        'for x in a b; do GRUB_CMDLINE_LINUX_DEFAULT="$x"; done\n',
    ],
)
def test_arguments_under_a_condition_are_not_guessed(text: str):
    """What the shell would decide is not known here."""
    with pytest.raises(ParseError, match="under a condition"):
        grub.parse_defaults(text)


MENU = """set default="{default}"
menuentry 'A' --id a {{
  linux /ka x=a
}}
submenu 'More' --id more {{
  menuentry 'B' --id b {{
    linux /kb x=b
  }}
  menuentry 'C' --id c {{
    linux /kc x=c
  }}
}}
menuentry 'D' --id d {{
  linux /kd x=d
}}
"""


@pytest.mark.parametrize(
    ("default", "environment", "kernel"),
    [
        ("0", {}, "/ka"),
        ("1>1", {}, "/kc"),
        ("1", {}, "/kb"),
        ("2", {}, "/kd"),
        ("d", {}, "/kd"),
        ("More>C", {}, "/kc"),
        ("more>b", {}, "/kb"),
        ("D", {"saved_entry": "0"}, "/kd"),
        ("${saved_entry}", {"saved_entry": "more>c"}, "/kc"),
        ("${saved_entry}", {}, "/ka"),
        ("nowhere", {}, "/ka"),
        ("9", {}, "/ka"),
    ],
)
def test_the_default_of_the_menu(default: str, environment: dict[str, str], kernel: str):
    """`set default` names it by place, title or id, into a submenu as well; otherwise the first is started."""
    menu = grub.parse_menu(MENU.format(default=default), environment)

    assert menu.started(environment).kernel == kernel


def test_the_next_entry_counts_for_one_boot_only():
    """grub-reboot writes next_entry; without it the saved one is started."""
    text = (
        'if [ "${next_entry}" ] ; then\n  set default="${next_entry}"\n  set next_entry=\nelse\n'
        '  set default="${saved_entry}"\nfi\n' + MENU.partition("\n")[2].replace("{{", "{").replace("}}", "}")
    )

    for environment, kernel in (({"saved_entry": "d"}, "/kd"), ({"saved_entry": "d", "next_entry": "a"}, "/ka")):
        assert grub.parse_menu(text, environment).started(environment).kernel == kernel


@pytest.mark.parametrize("text", ["GRUB_A=x y\n", 'GRUB_A="x\n', "if true; then\n", "GRUB A=x\n", "# nothing\n"])
def test_a_file_without_assignment(text: str):
    """A file that assigns nothing, or a quote that is not closed, is a ParseError."""
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

    assert grub.parse_loader_entry(text, {}, "/e/a.conf").arguments == ("root=/dev/sda1", "intel_iommu=on")


@pytest.mark.parametrize(
    "text", ["title x\nlinux /k\n", "linux\noptions x\n", "options x\n", "?? x\nlinux /k\noptions x\n"]
)
def test_a_loader_entry_without_kernel_or_options(text: str):
    """An entry without a kernel or without options is a ParseError."""
    with pytest.raises(ParseError):
        grub.parse_loader_entry(text, {}, "/e/a.conf")


def test_a_loader_entry_takes_what_grub_cfg_sets():
    """tuned's profiles put `set tuned_params=…` into grub.cfg, and $tuned_params into each entry."""
    config = 'set tuned_params="skew_tick=1 isolcpus=managed_irq,domain,2-47"\nset tuned_initrd=""\nblscfg\n'
    entry = "title RHEL\nlinux /vmlinuz-5.14\noptions $kernelopts $tuned_params\ninitrd /i.img $tuned_initrd\n"
    menu = grub.parse_menu(config, grub.parse_environment("kernelopts=root=/dev/sda1 intel_iommu=on\n"))

    found = grub.parse_loader_entry(entry, menu.variables, "/boot/loader/entries/a.conf")

    assert found.arguments == ("root=/dev/sda1", "intel_iommu=on", "skew_tick=1", "isolcpus=managed_irq,domain,2-47")

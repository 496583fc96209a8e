"""What the next boot will use: /etc/default/grub, and the boot loader's own configuration or entries."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from probes.host import Host, output_of
from probes.reading import lines_of, read_file
from provisioning.errors import ParseError

ASSIGNMENT = re.compile(r"^\s*(?:export\s+)?([A-Z_][A-Z0-9_]*)(\+?)=(.*)$")
LINUX = re.compile(r"^\s*linux(?:16|efi)?\s+(\S+)\s*(.*)$")
FIRMWARE_FILES = "if [ -d /sys/firmware/efi ]; then readlink -f /etc/grub2-efi.cfg; else readlink -f /etc/grub2.cfg; fi"


@dataclass(frozen=True)
class GrubDefaults:
    """Variables of /etc/default/grub."""

    variables: dict[str, str]

    @property
    def arguments(self) -> tuple[str, ...]:
        """Kernel arguments that grub2-mkconfig will write."""
        return tuple(
            word
            for name in ("GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT")
            for word in self.variables.get(name, "").split()
        )


@dataclass(frozen=True)
class BootEntry:
    """The entry that the boot loader starts by default."""

    source: str
    """The file that it was read from."""
    kernel: str
    arguments: tuple[str, ...]


def parse_defaults(text: str) -> GrubDefaults:
    """Read /etc/default/grub, a shell fragment; later assignments win, += appends.

    Raises:
        ParseError: a line that is no assignment, or a quote that is not closed.
    """
    variables: dict[str, str] = {}
    for number, line in enumerate(lines_of("/etc/default/grub", text), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = ASSIGNMENT.match(line)
        if match is None:
            raise ParseError("/etc/default/grub", "not an assignment", line=line, line_number=number)
        name, plus, raw = match.groups()
        if "$(" in raw or "`" in raw:
            value = raw.strip("\"'")
        else:
            try:
                value = " ".join(shlex.split(raw, comments=True))
            except ValueError as error:
                raise ParseError("/etc/default/grub", str(error), line=line, line_number=number) from error
        variables[name] = variables.get(name, "") + value if plus else value
    return GrubDefaults(variables)


def parse_config(text: str, source: str = "grub.cfg") -> BootEntry | None:
    """The first entry of a grub.cfg; None when it leaves the entries to the Boot Loader Specification.

    Raises:
        ParseError: there is neither.
    """
    lines = lines_of(source, text)
    for line in lines:
        match = LINUX.match(line)
        if match:
            return BootEntry(source, match[1], tuple(match[2].split()))
    if any(line.strip() == "blscfg" for line in lines):
        return None
    raise ParseError(source, "no kernel and no blscfg in it")


def parse_loader_entry(text: str, environment: str, source: str) -> BootEntry:
    """A file of /boot/loader/entries, its variables taken from grubenv.

    Raises:
        ParseError: no line `linux` or `options`.
    """
    fields = dict(line.split(None, 1) for line in lines_of(source, text) if len(line.split(None, 1)) == 2)
    if "linux" not in fields or "options" not in fields:
        raise ParseError(source, "no line linux or no line options")
    variables = dict(line.split("=", 1) for line in environment.splitlines() if "=" in line and line[0] != "#")
    options = re.sub(r"\$(\w+)", lambda match: variables.get(match[1], ""), fields["options"])
    return BootEntry(source, fields["linux"].strip(), tuple(options.split()))


def read_defaults(host: Host) -> GrubDefaults:
    """/etc/default/grub of `host`."""
    return parse_defaults(read_file(host, "/etc/default/grub", as_root=True))


def read_boot_entry(host: Host) -> BootEntry:
    """The default entry in the file that this host's firmware starts from."""
    path = output_of(host, FIRMWARE_FILES).stdout.strip()
    entry = parse_config(read_file(host, path, as_root=True), path)
    if entry is not None:
        return entry
    newest = output_of(host, "ls /boot/loader/entries/*.conf | sort -V | tail -n 1", as_root=True).stdout.strip()
    environment = output_of(host, "cat /boot/grub2/grubenv 2>/dev/null || true", as_root=True).stdout
    return parse_loader_entry(read_file(host, newest, as_root=True), environment, newest)

"""What the next boot will use: /etc/default/grub, and the boot loader's own configuration or entries."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from access.errors import ParseError
from access.host import Host, output_of
from probes.kernel_cmdline import split
from probes.reading import lines_of, read_file, transcript_of

DEFAULTS = "/etc/default/grub"
ASSIGNMENT = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)(\+?)=(.*)", re.S)
COMMAND_SUBSTITUTION = re.compile(r"\$\(|`")
VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w{0,80})(?::?([+-])([^{}]{0,2000}))?\}|([A-Za-z_]\w{0,80}))")
LINUX = re.compile(r"\s*linux(?:16|efi)?\s+(\S+)\s*(.*)")
SET = re.compile(r"\s*set\s+([A-Za-z_]\w*)=(.*)")
MENU_ENTRY = re.compile(r"\s*(menuentry|submenu)\s+(.*)")
IDENTIFIER = re.compile(r"(?:--id[= ]|\$menuentry_id_option\s+|\$\{menuentry_id_option\}\s+)[\"']?([^\s\"'{]{1,400})")
DEBIAN_CONFIG = "/boot/grub/grub.cfg"
"""Debian and Ubuntu start from this file with either firmware: the one on the EFI partition only points to it."""
MORE_DEFAULTS = (
    "if grep -qs default/grub.d /usr/sbin/grub-mkconfig; then ls /etc/default/grub.d/*.cfg 2>/dev/null; fi; true"
)
"""Debian's grub-mkconfig reads a folder as well; Red Hat's does not."""
OTHER_FILES = "ls /boot/grub2/grub.cfg /boot/efi/EFI/*/grub.cfg /boot/loader/entries/*.conf 2>/dev/null || true"
FIRMWARE_FILES = f"""
if [ -e {DEBIAN_CONFIG} ] && [ ! -d /boot/grub2 ]; then echo {DEBIAN_CONFIG}
elif [ -d /sys/firmware/efi ]; then readlink -f /etc/grub2-efi.cfg; else readlink -f /etc/grub2.cfg; fi
"""
COMMON_CONFIG = "/boot/grub2/grub.cfg"
CONFIGFILE = re.compile(r"^\s*configfile\s", re.M)
BOOTS = re.compile(r"^\s*(?:linux(?:16|efi)?\s|blscfg\b)", re.M)
SAVED = "saved_entry"
LOOK_BACK_LINES = 400


@dataclass(frozen=True)
class GrubDefaults:
    """Variables of /etc/default/grub and of the files that are read after it."""

    variables: dict[str, str]

    @property
    def arguments(self) -> tuple[str, ...]:
        """Kernel arguments that grub2-mkconfig will write."""
        names = ("GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT")
        return tuple(word for name in names for word in split(self.variables.get(name, "")))


@dataclass(frozen=True)
class BootEntry:
    """An entry that the boot loader can start."""

    source: str
    """The file that it was read from."""
    kernel: str
    arguments: tuple[str, ...]
    title: str = ""
    identifier: str = ""
    """What saved_entry may name: of a menu entry its id, of a loader entry its file's name without .conf."""


@dataclass(frozen=True)
class GrubConfig:
    """A grub.cfg."""

    entries: tuple[BootEntry, ...]
    """In their order, those of submenus as well."""
    has_loader_entries: bool
    """Whether entries of the Boot Loader Specification are shown as well (blscfg)."""


def parse_defaults(text: str) -> GrubDefaults:
    """Read /etc/default/grub, a shell fragment; later assignments win, += appends, earlier variables are put in.

    Raises:
        ParseError: a line that is no assignment, or a quote that is not closed.
    """
    variables: dict[str, str] = {}
    _assign(variables, text, DEFAULTS)
    if not variables:
        raise ParseError(DEFAULTS, "no assignment in it", line=text.strip()[-200:])
    return GrubDefaults(variables)


def _assign(variables: dict[str, str], text: str, source: str) -> None:
    """Carry out the assignments of a shell fragment."""
    for number, line in _joined(transcript_of(source, text, source)):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = ASSIGNMENT.fullmatch(line)
        if match is None:
            raise ParseError(source, "not an assignment", line=line, line_number=number)
        name, plus, raw = match.groups()
        value = _value(raw, variables, source, line, number)
        variables[name] = variables.get(name, "") + value if plus else value


def _joined(lines: list[str]) -> list[tuple[int, str]]:
    """Lines with the number of their first one; a backslash at the end joins the next."""
    found: list[tuple[int, str]] = []
    open_line = False
    for number, line in enumerate(lines, start=1):
        bare = line.removesuffix("\\")
        if open_line:
            found[-1] = (found[-1][0], found[-1][1] + bare)
        else:
            found.append((number, bare))
        open_line = bare != line
    return found


def _value(raw: str, variables: dict[str, str], source: str, line: str, number: int) -> str:
    if COMMAND_SUBSTITUTION.search(raw):  # what it will print is not known here
        return raw.strip().strip("\"'")
    is_literal = raw.lstrip().startswith("'")
    try:
        words = shlex.split(raw, comments=True)
    except ValueError as error:
        raise ParseError(source, str(error), line=line, line_number=number) from error
    if len(words) > 1:
        raise ParseError(source, "more than one word without quotes", line=line, line_number=number)
    value = words[0] if words else ""
    return value if is_literal else _expanded(value, variables)


def _expanded(text: str, variables: dict[str, str], depth: int = 0) -> str:
    """With variables put in, also as `${NAME:+ALTERNATIVE}` (TripleO appends KernelArgs so) and `${NAME:-DEFAULT}`."""

    def replacement(match: re.Match[str]) -> str:
        value = variables.get(match[1] or match[4], "")
        if match[2] is None or depth:
            return value
        other = _expanded(match[3], variables, depth + 1)
        return (other if value else "") if match[2] == "+" else (value or other)

    return VARIABLE.sub(replacement, text)


def parse_environment(text: str) -> dict[str, str]:
    """Variables of a grubenv; an empty text has none.

    Raises:
        ParseError: a line that is no assignment.
    """
    variables: dict[str, str] = {}
    for number, line in enumerate(lines_of("grubenv", text) if text.strip() else [], start=1):
        if line.startswith("#") or not line.strip():
            continue
        name, equals, value = line.partition("=")
        if not equals or not re.fullmatch(r"\w{1,64}", name):
            raise ParseError("grubenv", "not an assignment", line=line, line_number=number)
        variables[name] = value
    return variables


def parse_menu(text: str, environment: dict[str, str] | None = None, source: str = "grub.cfg") -> GrubConfig:
    """All entries of a grub.cfg, with variables from its own `set` and from grubenv put in.

    Raises:
        ParseError: there is neither a kernel nor blscfg, or a menu entry that is not closed.
    """
    lines = lines_of(source, text)
    variables = dict(environment or {})
    entries: list[BootEntry] = []
    title, identifier, depth = "", "", 0
    for number, line in enumerate(lines, start=1):
        if line.lstrip().startswith("#"):
            continue
        if match := SET.fullmatch(line):
            variables.setdefault(match[1], match[2].strip().strip("\"'"))
        elif match := MENU_ENTRY.fullmatch(line):
            title, identifier = _heading(match[2])
        elif match := LINUX.fullmatch(line):
            arguments = split(_expanded(match[2], variables))
            entries.append(BootEntry(source, match[1], arguments, title, identifier))
        depth += line.count("{") - line.count("}") - line.count("${") + _closed_variables(line)
        if depth < 0:
            raise ParseError(source, "a brace too many", line=line, line_number=number)
    has_loader_entries = any(line.strip() == "blscfg" for line in lines)
    if depth or not (entries or has_loader_entries):
        reason = "cut off within braces" if depth else "no kernel and no blscfg in it"
        raise ParseError(source, reason, line=lines[-1], line_number=len(lines))
    return GrubConfig(tuple(entries), has_loader_entries)


def _closed_variables(line: str) -> int:
    return len(re.findall(r"\$\{[^{}]{0,200}\}", line))


def _heading(text: str) -> tuple[str, str]:
    """Title and id of a menu entry."""
    quote = text[:1] if text[:1] in "\"'" else ""
    title = text[1:].partition(quote)[0] if quote else text.partition(" ")[0]
    identifier = IDENTIFIER.search(text)
    return title, identifier[1] if identifier else ""


def parse_config(text: str, source: str = "grub.cfg") -> BootEntry | None:
    """The first entry of a grub.cfg; None if it leaves the entries to the Boot Loader Specification.

    Raises:
        ParseError: there is neither.
    """
    menu = parse_menu(text, source=source)
    return menu.entries[0] if menu.entries else None


def parse_loader_entry(text: str, environment: str, source: str) -> BootEntry:
    """A file of /boot/loader/entries, its variables taken from grubenv.

    https://uapi-group.org/specifications/specs/boot_loader_specification/

    Raises:
        ParseError: no line `linux` or `options`, or a line without a value.
    """
    variables = parse_environment(environment)
    fields: dict[str, str] = {}
    for number, line in enumerate(lines_of(source, text), start=1):
        if line.lstrip().startswith("#") or not line.strip():
            continue
        words = line.split(None, 1)
        if not re.fullmatch(r"[a-z_-]{2,40}", words[0]) or (len(words) == 1 and words[0] in ("linux", "options")):
            raise ParseError(source, "not a key and a value", line=line, line_number=number)
        value = words[1].strip() if len(words) == 2 else ""
        fields[words[0]] = f"{fields['options']} {value}" if words[0] == "options" and "options" in fields else value
    if "linux" not in fields or "options" not in fields:
        raise ParseError(source, "no line linux or no line options", line=text.strip()[-200:])
    identifier = source.rsplit("/", 1)[-1].removesuffix(".conf")
    arguments = split(_expanded(fields["options"], variables))
    return BootEntry(source, fields["linux"], arguments, fields.get("title", ""), identifier)


def chosen(entries: tuple[BootEntry, ...], default: str) -> BootEntry | None:
    """The entry that a default names by place, id or title ("1>2" goes into a submenu); None if none is meant."""
    wanted = default.rsplit(">", 1)[-1].strip()
    if re.fullmatch(r"[0-9]{1,4}", wanted) and ">" not in default:
        return entries[int(wanted)] if int(wanted) < len(entries) else None
    return next((entry for entry in entries if wanted and wanted in (entry.identifier, entry.title)), None)


def is_image_based(host: Host) -> bool:
    """Whether the host boots images of ostree or bootc: its arguments stand in the boot entries alone.

    https://ostreedev.github.io/ostree/adapting-existing/#booting-and-initramfs-technology

    Raises:
        ParseError: the answer is neither yes nor no.
    """
    text = output_of(host, "if [ -e /run/ostree-booted ]; then echo yes; else echo no; fi").stdout.strip()
    if text not in ("yes", "no"):
        raise ParseError("/run/ostree-booted", "neither yes nor no", line=text)
    return text == "yes"


def read_defaults(host: Host) -> GrubDefaults:
    """/etc/default/grub of `host`, and on Debian and Ubuntu what /etc/default/grub.d adds."""
    variables = dict(parse_defaults(read_file(host, DEFAULTS, as_root=True)).variables)
    for file in output_of(host, MORE_DEFAULTS, as_root=True).stdout.split():
        if text := read_file(host, file, as_root=True).strip():
            _assign(variables, text, file)
    return GrubDefaults(variables)


def _environment_text(host: Host) -> str:
    """grubenv of `host`; empty if there is none."""
    return output_of(
        host, "cat /boot/grub2/grubenv 2>/dev/null || cat /boot/grub/grubenv 2>/dev/null || true", as_root=True
    ).stdout


def points_on(text: str) -> bool:
    """Whether a grub.cfg only goes on to the common one, as that of the EFI partition does since RHEL 9."""
    return bool(CONFIGFILE.search(text)) and not BOOTS.search(text)


def read_boot_entry(host: Host) -> BootEntry:
    """The default entry in the file that this host's firmware starts from."""
    path = output_of(host, FIRMWARE_FILES).stdout.strip()
    text = read_file(host, path, as_root=True)
    if points_on(text):
        path = COMMON_CONFIG
        text = read_file(host, path, as_root=True)
    environment = _environment_text(host)
    variables = parse_environment(environment)
    menu = parse_menu(text, variables, path)
    saved = variables.get(SAVED, "")
    if menu.entries:
        return chosen(menu.entries, saved) or menu.entries[0]
    files = output_of(host, "ls /boot/loader/entries/*.conf | sort -V", as_root=True).stdout.split()
    named = [name for name in files if saved and name.endswith(f"/{saved}.conf")]
    source = (named or files)[-1]
    return parse_loader_entry(read_file(host, source, as_root=True), environment, source)


def read_other_entries(host: Host, default: BootEntry) -> tuple[BootEntry, ...]:
    """Entries that this host's firmware does not start: of other grub.cfg files and other loader entries.

    What cannot be read as an entry is passed over: it starts nothing.
    """
    files = output_of(host, OTHER_FILES, as_root=True).stdout.split()
    environment = _environment_text(host)
    found: list[BootEntry] = []
    for file in files:
        if file != default.source:
            found += _entries_of(file, read_file(host, file, as_root=True), environment)
    return tuple(found)


def _entries_of(file: str, text: str, environment: str) -> tuple[BootEntry, ...]:
    try:
        if file.endswith(".conf"):
            return (parse_loader_entry(text, environment, file),)
        return parse_menu(text, parse_environment(environment), file).entries
    except ParseError:
        return ()

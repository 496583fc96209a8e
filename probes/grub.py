"""What the next boot will use: /etc/default/grub, and the boot loader's own configuration or entries."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from access.errors import ParseError
from access.host import Host, output_of
from access.questions import Question
from probes.kernel_cmdline import split
from probes.reading import lines_of, question_of, read_file, transcript_of

DEFAULTS = "/etc/default/grub"
ASSIGNMENT = re.compile(r"\s*(?:(?:export|readonly|declare|local)\s+)?([A-Za-z_][A-Za-z0-9_]*)(\+?)=(.*)", re.S)
ASSIGNS_ARGUMENTS = re.compile(r"\bGRUB_CMDLINE_LINUX(?:_DEFAULT)?\+?=")
BLOCK_BEGIN = re.compile(r"\s*(?:if|for|while|until|case)\s|.*(?:\(\)\s*)?\{\s*$")
BLOCK_END = re.compile(r"\s*(?:fi|done|esac|\})\s*$|.*;\s*(?:fi|done|esac|\})\s*$")
CONDITION = re.compile(r"&&|\|\|")
OPENING = "'\"`"
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
IMAGE_BASED = "if [ -e /run/ostree-booted ]; then echo yes; else echo no; fi"
ENVIRONMENT = "cat /boot/grub2/grubenv 2>/dev/null || cat /boot/grub/grubenv 2>/dev/null || true"
NEW_ENTRIES = "cat /etc/kernel/cmdline 2>/dev/null || cat /usr/lib/kernel/cmdline 2>/dev/null || cat /proc/cmdline"
"""Where kernel-install takes the arguments of a new kernel's entry from: the first of these that there is.

https://www.freedesktop.org/software/systemd/man/latest/kernel-install.html#Files
"""
LOADER_ENTRIES = "ls /boot/loader/entries/*.conf | sort -V"
QUESTIONS = (
    Question(IMAGE_BASED),
    Question(FIRMWARE_FILES),
    question_of(DEFAULTS, as_root=True),
    Question(MORE_DEFAULTS, as_root=True),
    question_of(DEBIAN_CONFIG, as_root=True),
    question_of(COMMON_CONFIG, as_root=True),
    Question(ENVIRONMENT, as_root=True),
    Question(LOADER_ENTRIES, as_root=True),
    Question(NEW_ENTRIES, as_root=True),
)
"""A host has one of the two files; where it starts from the EFI partition, the file of that is asked for next."""
CONFIGFILE = re.compile(r"^[ \t]*configfile\s", re.M)
BOOTS = re.compile(r"^[ \t]*(?:linux(?:16|efi)?\s|blscfg\b)", re.M)
SAVED, NEXT = "saved_entry", "next_entry"
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
    path: tuple[tuple[int, str, str], ...] = ()
    """Place, title and id in the menu, then in each submenu; of a loader entry empty."""


@dataclass(frozen=True)
class GrubConfig:
    """A grub.cfg."""

    entries: tuple[BootEntry, ...]
    """In their order, those of submenus as well."""
    has_loader_entries: bool
    """Whether entries of the Boot Loader Specification are shown as well (blscfg)."""
    defaults: tuple[str, ...] = ()
    """What it sets as default, in its order and as written, e.g. ("${next_entry}", "${saved_entry}")."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """What grubenv and the file itself set, which loader entries name: tuned writes `set tuned_params=…` here."""

    def default(self, environment: dict[str, str]) -> str:
        """The entry that is meant with these variables of grubenv: the last that is set, next_entry before it."""
        found = ""
        for text in self.defaults:
            if NEXT not in text:
                found = _expanded(text, environment)
        following = environment.get(NEXT, "") if any(NEXT in text for text in self.defaults) else ""
        return following or found or ("" if self.defaults else environment.get(SAVED, ""))

    def started(self, environment: dict[str, str]) -> BootEntry:
        """The entry of this file that is started."""
        return chosen(self.entries, self.default(environment)) or self.entries[0]


def parse_defaults(text: str) -> GrubDefaults:
    """Read /etc/default/grub, a shell fragment; later assignments win, += appends, earlier variables are put in.

    Statements that assign nothing, and what stands under a condition, are passed over.

    Raises:
        ParseError: no assignment, the kernel's arguments under a condition, or a quote that is not closed.
    """
    variables: dict[str, str] = {}
    _assign(variables, text, DEFAULTS)
    if not variables:
        raise ParseError(DEFAULTS, "no assignment in it", line=text.strip()[-200:])
    return GrubDefaults(variables)


def _assign(variables: dict[str, str], text: str, source: str) -> None:
    """Carry out the assignments of a shell fragment that are made in any case."""
    depth = 0
    for number, statement in _statements(transcript_of(source, text, source), source):
        starts, ends = BLOCK_BEGIN.match(statement), BLOCK_END.match(statement)
        depth += (1 if starts else 0) - (1 if ends else 0)
        match = ASSIGNMENT.fullmatch(statement)
        is_conditional = depth > 0 or starts or ends or (match is None and CONDITION.search(statement))
        if is_conditional and ASSIGNS_ARGUMENTS.search(statement):
            raise ParseError(source, "arguments under a condition", line=statement, line_number=number)
        if match is None or is_conditional:
            continue
        name, plus, raw = match.groups()
        value = _value(raw, variables, source, statement, number)
        if value is not None:
            variables[name] = variables.get(name, "") + value if plus else value


def _statements(lines: list[str], source: str) -> list[tuple[int, str]]:
    """Statements with the number of their first line; a quote or a backslash joins lines, a semicolon parts them.

    Raises:
        ParseError: a quote that is not closed.
    """
    found: list[tuple[int, str]] = []
    start, statement, quote = 1, "", ""
    for number, line in enumerate(lines, start=1):
        parts, quote = _parts(line, quote)
        statement += parts[0]
        for part in parts[1:]:
            found.append((start, statement))
            start, statement = number, part
        if statement.endswith("\\") and quote != "'":
            statement = statement[:-1]
        elif quote:
            statement += "\n"
        else:
            found.append((start, statement))
            start, statement = number + 1, ""
    if quote:
        raise ParseError(source, "No closing quotation", line=lines[start - 1], line_number=start)
    return [(number, text) for number, text in [*found, (start, statement)] if text.strip()]


def _parts(line: str, quote: str) -> tuple[list[str], str]:
    """A line, parted at semicolons outside quotes, without its comment; and the quote that it leaves open."""
    parts, place = [""], 0
    while place < len(line):
        character = line[place]
        if character == "\\" and quote != "'" and place + 1 < len(line):
            parts[-1] += line[place : place + 2]
            place += 2
            continue
        if not quote and character == "#" and (place == 0 or line[place - 1].isspace()):
            break
        if not quote and character == ";" and line[place : place + 2] != ";;":
            parts.append("")
        else:
            parts[-1] += character
        if character in OPENING:
            quote = "" if quote == character else quote or character
        place += 1
    return parts, quote


def _value(raw: str, variables: dict[str, str], source: str, line: str, number: int) -> str | None:
    """What an assignment gives; None where it is one for the command behind it only."""
    if COMMAND_SUBSTITUTION.search(raw):  # what it will print is not known here
        return raw.strip().strip("\"'")
    is_literal = raw.lstrip().startswith("'")
    try:
        words = shlex.split(raw, comments=True)
    except ValueError as error:
        raise ParseError(source, str(error), line=line, line_number=number) from error
    if len(words) > 1 and words[1] not in ("&&", "||") and not all("=" in word for word in words[1:]):
        return None
    value = words[0] if words else ""
    return value if is_literal else _expanded(value, variables)


def _expanded(text: str, variables: Mapping[str, str], depth: int = 0) -> str:
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
    defaults: list[str] = []
    menu = _Menu()
    depth = 0
    for number, line in enumerate(lines, start=1):
        if line.lstrip().startswith("#"):
            continue
        if match := SET.fullmatch(line):
            value = match[2].strip().strip("\"'")
            defaults += [value] if match[1] == "default" else []
            variables.setdefault(match[1], value)
        elif match := MENU_ENTRY.fullmatch(line):
            menu.enter(*_heading(match[2]), depth)
        elif match := LINUX.fullmatch(line):
            arguments = split(_expanded(match[2], variables))
            _, title, identifier = menu.path[-1] if menu.path else (0, "", "")
            entries.append(BootEntry(source, match[1], arguments, title, identifier, menu.path))
        depth += line.count("{") - line.count("}") - line.count("${") + _closed_variables(line)
        if depth < 0:
            raise ParseError(source, "a brace too many", line=line, line_number=number)
    has_loader_entries = any(line.strip() == "blscfg" for line in lines)
    if depth or not (entries or has_loader_entries):
        reason = "cut off within braces" if depth else "no kernel and no blscfg in it"
        raise ParseError(source, reason, line=lines[-1], line_number=len(lines))
    return GrubConfig(tuple(entries), has_loader_entries, tuple(defaults), variables)


class _Menu:
    """Where in the menu a line stands: each entry counts within its own menu."""

    def __init__(self) -> None:
        self.path: tuple[tuple[int, str, str], ...] = ()
        self._depths: list[int] = []
        self._counts: dict[tuple[tuple[int, str, str], ...], int] = {}

    def enter(self, title: str, identifier: str, depth: int) -> None:
        """A heading, within so many braces."""
        while self._depths and self._depths[-1] >= depth:
            self._depths.pop()
        above = self.path[: len(self._depths)]
        place = self._counts.get(above, 0)
        self._counts[above] = place + 1
        self.path = (*above, (place, title, identifier))
        self._depths.append(depth)


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


def parse_loader_entry(text: str, variables: Mapping[str, str], source: str) -> BootEntry:
    """A file of /boot/loader/entries, its variables taken from grubenv and grub.cfg.

    https://uapi-group.org/specifications/specs/boot_loader_specification/

    Raises:
        ParseError: no line `linux` or `options`, or a line without a value.
    """
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
    """The entry that a default names by place, id or title ("1>2" goes into a submenu); None if none is meant.

    A submenu that is named starts its first entry. A name without its submenus is found as well.
    """
    wanted = [word.strip() for word in default.split(">")]
    within = next((entry for entry in entries if _leads_to(entry, wanted)), None)
    if within is not None or not wanted[-1]:
        return within
    if wanted[-1].isdigit():
        place = int(wanted[-1][:4])
        flat = entries if not any(entry.path for entry in entries) else ()
        return flat[place] if len(wanted) == 1 and place < len(flat) else None
    return next((entry for entry in entries if wanted[-1] in (entry.identifier, entry.title)), None)


def _leads_to(entry: BootEntry, wanted: list[str]) -> bool:
    steps = list(zip(wanted, entry.path, strict=False))
    return len(steps) == len(wanted) and all(
        name and name in (str(place), title, identifier) for name, (place, title, identifier) in steps
    )


def is_image_based(host: Host) -> bool:
    """Whether the host boots images of ostree or bootc: its arguments stand in the boot entries alone.

    https://ostreedev.github.io/ostree/adapting-existing/#booting-and-initramfs-technology

    Raises:
        ParseError: the answer is neither yes nor no.
    """
    text = output_of(host, IMAGE_BASED).stdout.strip()
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
    return output_of(host, ENVIRONMENT, as_root=True).stdout


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
    variables = parse_environment(_environment_text(host))
    menu = parse_menu(text, variables, path)
    saved = menu.default(variables)
    if menu.entries:
        return menu.started(variables)
    files = output_of(host, LOADER_ENTRIES, as_root=True).stdout.split()
    named = [name for name in files if saved and name.endswith(f"/{saved}.conf")]
    source = (named or files)[-1]
    return parse_loader_entry(read_file(host, source, as_root=True), menu.variables, source)


def read_arguments_of_new_entries(host: Host) -> tuple[str, ...]:
    """Arguments that the loader entry of the next kernel will have, where entries are files of their own."""
    words = " ".join(lines_of("/etc/kernel/cmdline", output_of(host, NEW_ENTRIES, as_root=True).stdout))
    return split(words)


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
            return (parse_loader_entry(text, parse_environment(environment), file),)
        return parse_menu(text, parse_environment(environment), file).entries
    except ParseError:
        return ()


FOLLOW_UPS = (read_boot_entry,)
"""What asks on by the first answers."""

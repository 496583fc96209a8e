"""The configuration that a running service of Nova reads: from its own process, wherever that is kept.

Root of a host sees the processes of its containers, pods and snaps in /proc, and through /proc/PID/root the files as
they see them. So one way serves systemd units, docker, podman, LXC, Kubernetes and snaps alike: find the process, take
`--config-file` and `--config-dir` from its own command line, search as oslo.config does where it names none, read.

https://docs.openstack.org/oslo.config/latest/configuration/mutable.html
https://docs.openstack.org/oslo.config/latest/reference/locations.html
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from access.errors import CommandError, MeasurementError, ParseError
from access.host import Host, output_of
from access.questions import Question
from probes.reading import bounded

TOOL = "nova's process"
PROJECT = "nova"
WSGI_DIRECTORY, WSGI_FILES = "OS_NOVA_CONFIG_DIR", "OS_NOVA_CONFIG_FILES"
"""Variables by which Nova's WSGI application is told its files (nova/api/openstack/wsgi_app.py)."""
DISTRIBUTION_FILE = "/usr/share/nova/nova-dist.conf"
"""RDO's oslo.config reads it before any other default file; other packages do not have it."""
OVERRIDE = re.compile(r"OS_(FILTER_SCHEDULER|LIBVIRT|PCI)__([A-Z_]{1,60})")
FIRST_WORDS = 4
"""The program is among them: an interpreter, its options, the script."""
TITLE = re.compile(r"([\w-]{1,40}): (?:master process|\w+ worker\(\d{1,4}\)) ?\[?(.{0,4000}?)\]?")
"""What services of oslo.service's threading backend call themselves: cotyledon keeps the command line in brackets."""

FIND = r"""
LC_ALL=C; export LC_ALL
anchor=$({anchor} 2>/dev/null | tr -cd '0-9')
here=$(readlink "/proc/${{anchor:-none}}/ns/mnt" 2>/dev/null)
own=$(stat -L -c %d:%i /etc)
found=$(grep -zlE {pattern} /proc/[0-9]*/cmdline 2>/dev/null | tr -cd '0-9\n')
for pid in $anchor $found; do
  [ "$pid" != 0 ] && [ "$pid" != "$$" ] && [ -r "/proc/$pid/stat" ] || continue
  there=$(readlink "/proc/$pid/ns/mnt" 2>/dev/null)
  case $pid in $anchor) kind=anchor ;; *) [ "$there" = "$here" ] && kind=inside || kind=elsewhere ;; esac
  [ "$(stat -L -c %d:%i "/proc/$pid/root/etc" 2>/dev/null)" = "$own" ] && etc=host || etc=other
  echo "process $pid $kind $etc $(sed 's/.*) //' "/proc/$pid/stat" | cut -d' ' -f20)"
  tr '\0' '\n' <"/proc/$pid/cmdline" | sed 's/^/argument /'; echo
  tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | grep -E '^({variables})=' | sed 's/^/variable /'; echo
  for ini in $(tr '\0' '\n' <"/proc/$pid/cmdline" | grep '^/.*\.ini$'); do
    sed -n -E -e 's/^[[:space:]]*pyargv[[:space:]]*=[[:space:]]*/pyargv /p' \
      -e 's/^[[:space:]]*env[[:space:]]*=[[:space:]]*(OS_NOVA_CONFIG_)/variable \1/p' "/proc/$pid/root$ini" 2>/dev/null
  done
done
echo "clock $(getconf CLK_TCK 2>/dev/null || echo 100) $(date +%s) $(cut -d' ' -f1 /proc/uptime)"
echo end
"""
"""Candidates, with what an ini file of uwsgi tells them. A pattern in brackets keeps the search from finding itself."""

SHOW = r"""
LC_ALL=C; export LC_ALL
hide() {
  sed -E 's/^([^=:#]*(password|secret|token|_url|connection|memcache_secret_key)[^=:]*[=:]).*/\1 (hidden)/; s/^/|/' "$1"
}
show() { echo "file $(stat -L -c %Y "$1") $1"; hide "$1"; echo; }
file() { if [ -f "$1" ]; then show "$1"; else echo "missing $1"; fi; }
folder() { for each in "$1"/*.conf; do if [ -f "$each" ]; then show "$each"; fi; done; }
directory() { if [ -d "$1" ]; then folder "$1"; else echo "missing $1"; fi; }
first_file() { for each in "$@"; do if [ -f "$each" ]; then show "$each"; return; fi; done; }
first_directory() { for each in "$@"; do if [ -d "$each" ]; then folder "$each"; return; fi; done; }
"""
"""Files with what no check needs hidden where it stands: passwords do not even travel."""
GONE = "gone\n"
INSIDE = "chroot /proc/{pid}/root /bin/sh -c {script} || {{ [ -e /proc/{pid} ] && exit 1; echo gone; }}"
"""A service that ends at its start is started again and again: what was found may be gone when it is read."""
STEPS = ("file", "directory", "first_file", "first_directory")


class ProcessGone(MeasurementError):
    """A process ended between two questions."""


@dataclass(frozen=True)
class NovaProcess:
    """A process of one of Nova's services."""

    pid: int
    started: datetime
    arguments: tuple[str, ...]
    """Its command line."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Those of its environment that decide what it reads."""
    is_anchor: bool = False
    """Whether it is the unit's or container's first process, whatever its command line says."""
    is_inside: bool = False
    """Whether it sees the same files as the unit's or container's first process."""
    sees_host: bool = False
    """Whether its /etc is the host's: neither a container's nor a pod's."""

    @property
    def is_of_web_server(self) -> bool:
        """Whether it is a worker of apache2 or httpd, which a reload of the web server starts again."""
        return bool(self.arguments) and WEB_SERVER.match(self.arguments[0]) is not None


@dataclass(frozen=True)
class ConfigFile:
    """One file as the service sees it."""

    path: str
    text: str
    """Values of secret options are left out."""
    changed: datetime


@dataclass(frozen=True)
class ReadFiles:
    """What a service reads, in its order."""

    files: tuple[ConfigFile, ...]
    missing: tuple[str, ...] = ()
    """Named on the command line and not there: the service does not start with such."""


@dataclass(frozen=True)
class Step:
    """One step of reading: a file, all *.conf of a directory, or the first of several that is there."""

    kind: str
    paths: tuple[str, ...]


def parse_processes(text: str) -> tuple[NovaProcess, ...]:
    """Read the answer of FIND.

    Raises:
        ParseError: a cut answer, or a line of another shape.
    """
    lines = bounded(TOOL, text).splitlines()
    if len(lines) < 2 or lines[-1] != "end":
        raise ParseError(TOOL, "the answer is cut off", line=lines[-1] if lines else "")
    ticks, booted = _clock(lines[-2])
    found: list[NovaProcess] = []
    for number, line in enumerate(lines[:-2], start=1):
        word, _, rest = line.partition(" ")
        if word == "process":
            found.append(_process(rest, ticks, booted, line, number))
        elif word == "argument" and found:
            found[-1] = _with(found[-1], arguments=(*found[-1].arguments, rest))
        elif word == "pyargv" and found:
            found[-1] = _with(found[-1], arguments=(*found[-1].arguments, "--pyargv", rest))
        elif word == "variable" and found:
            name, _, value = rest.partition("=")
            found[-1] = _with(found[-1], variables={**found[-1].variables, name: value})
        elif line:
            raise ParseError(TOOL, "neither process, argument nor variable", line=line, line_number=number)
    return tuple(found)


def _with(process: NovaProcess, **changes: object) -> NovaProcess:
    return NovaProcess(**{**process.__dict__, **changes})


def _clock(line: str) -> tuple[int, float]:
    """Ticks of a second, and when the count of ticks began by the clock of now: it may have been set since the boot."""
    found = re.fullmatch(r"clock ([0-9]{1,6}) ([0-9]{1,12}) ([0-9]{1,12}(?:\.[0-9]{1,6})?)", line)
    if found is None:
        raise ParseError(TOOL, "no clock", line=line)
    return int(found[1]), int(found[2]) - float(found[3])


def _process(rest: str, ticks: int, booted: float, line: str, number: int) -> NovaProcess:
    found = re.fullmatch(r"([0-9]{1,10}) (anchor|inside|elsewhere) (host|other) ([0-9]{1,20})", rest)
    if found is None:
        raise ParseError(TOOL, "no process", line=line, line_number=number)
    started = datetime.fromtimestamp(booted + int(found[4]) / ticks, UTC)
    return NovaProcess(
        int(found[1]),
        started,
        (),
        is_anchor=found[2] == "anchor",
        is_inside=found[2] in ("anchor", "inside"),
        sees_host=found[3] == "host",
    )


def chosen(service: str, processes: tuple[NovaProcess, ...]) -> NovaProcess | None:
    """The process of a service among the candidates; None if there is none.

    One in the unit's or container's own file system goes before others of the same name: a host may run a second
    nova-compute or nova-conductor. Of a service and its workers the oldest is the service.
    """
    named = [process for process in processes if _program_of(process.arguments, service)]
    inside = [process for process in named if process.is_inside]
    anchors = [process for process in processes if process.is_anchor and service == API]
    candidates = inside or (named if not any(process.is_anchor for process in processes) else []) or anchors or named
    return min(candidates, key=lambda process: process.started, default=None)


WEB_SERVER = re.compile(r"\(wsgi:|nova[-_][a-z_]{0,40}wsgi\b")
"""How mod_wsgi calls its processes by default, and how deployers have it call them."""
API = "nova-api"
"""The one service that is also run by a web server: apache2, httpd or uwsgi, under names of their own."""
API_PROGRAM = re.compile(r"(?:\(wsgi:)?nova[-_](?:os)?api(?:[-_.](?!metadata)[\w.-]*)?:?\)?(?: .*)?")


def _program_of(arguments: tuple[str, ...], service: str) -> str | None:
    """The program's name if the process is of the service."""
    title = TITLE.fullmatch(arguments[0]) if arguments else None
    if title is not None:
        return service if title[1] == service else None
    for word in arguments if service == API else arguments[:FIRST_WORDS]:
        name = posixpath.basename(word).removesuffix(".py")
        if name == service or (service == API and API_PROGRAM.fullmatch(name)):
            return name
    return None


def steps(process: NovaProcess | None, service: str) -> tuple[Step, ...]:
    """What the service reads, step by step; without a process what it would read if it were started without options."""
    arguments = _options(process, service) if process else ()
    variables = process.variables if process else {}
    given = tuple(_given(arguments))
    kinds = {kind for kind, _ in given}
    found: list[Step] = []
    if "file" not in kinds:
        found += _default_files(process, service, variables)
    if "directory" not in kinds:
        found += [Step("first_directory", _candidates(name, ".conf.d", variables)) for name in (PROJECT, service)]
    return (*found, *(Step(kind, (path,)) for kind, path in given))


def _options(process: NovaProcess, service: str) -> tuple[str, ...]:
    """The words that oslo.config reads: the title's, those behind uwsgi's --pyargv, or the whole command line's."""
    title = TITLE.fullmatch(process.arguments[0]) if process.arguments else None
    if title is not None:
        return tuple(title[2].split())
    if "--pyargv" in process.arguments[:-1]:
        return tuple(shlex.split(process.arguments[process.arguments.index("--pyargv") + 1]))
    return process.arguments if not _is_wsgi(process, service) else ()


def _is_wsgi(process: NovaProcess, service: str) -> bool:
    return service == API and all(posixpath.basename(word) != API for word in process.arguments[:FIRST_WORDS])


def _given(arguments: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Files and directories of the command line in their order, which is that of reading."""
    kinds = {"--config-file": "file", "--config-dir": "directory"}
    for number, word in enumerate(arguments):
        name, equals, value = word.partition("=")
        if name in kinds and equals:
            yield kinds[name], value
        elif word in kinds and number + 1 < len(arguments):
            yield kinds[word], arguments[number + 1]


def _default_files(process: NovaProcess | None, service: str, variables: Mapping[str, str]) -> Iterator[Step]:
    if process is not None and _is_wsgi(process, service):
        folder = variables.get(WSGI_DIRECTORY, "/etc/nova").strip()
        names = variables.get(WSGI_FILES) or "nova.conf"
        files = [posixpath.join(folder, name) for name in names.split(";") if not name.endswith(".ini")]
        yield from (Step("first_file", (file,)) for file in files)
        return
    yield Step("first_file", (DISTRIBUTION_FILE,))
    yield from (Step("first_file", _candidates(name, ".conf", variables)) for name in (PROJECT, service))


def _candidates(name: str, extension: str, variables: Mapping[str, str]) -> tuple[str, ...]:
    """Where oslo.config looks for a default file or directory; the first that is there is read."""
    home, snap, common = (variables.get(key, "") for key in ("HOME", "SNAP", "SNAP_COMMON"))
    own = [f"{home}/.{PROJECT}", home] if home else []
    snaps = [f"{folder}/etc/{PROJECT}" for folder in (common, snap) if folder]
    return tuple(posixpath.join(folder, name + extension) for folder in (*own, f"/etc/{PROJECT}", "/etc", *snaps))


def overrides(process: NovaProcess | None) -> tuple[tuple[str, str], ...]:
    """The options that the environment overrides, as one more file: its name and text; none if it overrides none.

    https://docs.openstack.org/oslo.config/latest/reference/drivers.html
    """
    found = [(OVERRIDE.fullmatch(name), value) for name, value in (process.variables if process else {}).items()]
    text = "".join(f"[{match[1].lower()}]\n{match[2].lower()} = {value}\n" for match, value in found if match)
    return (("the environment of the process", text),) if text else ()


def parse_files(text: str) -> ReadFiles:
    """Read the answer of SHOW.

    Raises:
        ParseError: a cut answer, or a line of another shape.
    """
    lines = bounded(TOOL, text).splitlines()
    if not lines or lines[-1] != "end":
        raise ParseError(TOOL, "the answer is cut off", line=lines[-1] if lines else "")
    files: list[ConfigFile] = []
    missing: list[str] = []
    content: list[str] = []

    def close() -> None:
        if files:
            files[-1] = ConfigFile(files[-1].path, "".join(f"{each}\n" for each in content), files[-1].changed)
        content.clear()

    for number, line in enumerate(lines[:-1], start=1):
        head = re.fullmatch(r"file ([0-9]{1,12}) (/.{1,4000})", line)
        if head is not None:
            close()
            files.append(ConfigFile(head[2], "", datetime.fromtimestamp(int(head[1]), UTC)))
        elif line.startswith("|") and files:
            content.append(line[1:])
        elif line.startswith("missing /"):
            missing.append(line.removeprefix("missing "))
        elif line:
            raise ParseError(TOOL, "neither a file nor its content", line=line, line_number=number)
    close()
    return ReadFiles(tuple(files), tuple(missing))


VARIABLES = f"{WSGI_DIRECTORY}|{WSGI_FILES}|HOME|SNAP|SNAP_COMMON|OS_(FILTER_SCHEDULER|LIBVIRT|PCI)__[A-Z_]+"


def find(host: Host, service: str, *, anchor: str = "", enter: str = "") -> NovaProcess | None:
    """The running process of a service; None if there is none.

    `anchor` is a command that prints the pid of its unit or container, `enter` what runs a command where the process
    is when this host does not see it.
    """
    return chosen(service, candidates(host, service, anchor=anchor, enter=enter))


def reach(host: Host, service: str, *, anchor: str, enter: str) -> tuple[NovaProcess | None, str]:
    """The process of a service, and what enters the place where it is; "" if this host sees it itself.

    A host may be one that reaches pods from outside, or the node that they run on, which cannot enter them by name.
    """
    if enter:
        with suppress(CommandError):
            return find(host, service, enter=enter), enter
    return find(host, service, anchor=anchor), ""


def question_of(service: str, *, anchor: str = "", enter: str = "") -> Question:
    """What `find` asks."""
    pattern = f"(^|/|:)nova[-_](os)?[{service[5]}]{service[6:]}"
    script = FIND.format(anchor=anchor or "true", pattern=shlex.quote(pattern), variables=VARIABLES)
    return Question(_inside(script, enter), as_root=True)


def candidates(host: Host, service: str, *, anchor: str = "", enter: str = "") -> tuple[NovaProcess, ...]:
    """All processes that may be of a service; see `find`."""
    asked = question_of(service, anchor=anchor, enter=enter)
    return parse_processes(output_of(host, asked.command, as_root=True).stdout)


def read(host: Host, service: str, process: NovaProcess | None, *, enter: str = "") -> ReadFiles:
    """The files that a service reads, as it sees them.

    Raises:
        ProcessGone: the process ended since it was found.
    """
    calls = (shlex.join((step.kind, *step.paths)) for step in steps(process, service))
    script = "\n".join((SHOW, *calls, "echo end"))
    if process is not None and not enter:
        script = INSIDE.format(pid=process.pid, script=shlex.quote(script))
    text = output_of(host, _inside(script, enter), as_root=True).stdout
    if text.endswith(GONE):
        raise ProcessGone(f"process {process and process.pid} of {service} ended while its files were read")
    return parse_files(text)


def read_written(host: Host, path: str) -> ReadFiles:
    """A file of the host itself, or all *.conf of a directory if the path ends in /; none where it is not there."""
    kind, place = ("first_directory", path.rstrip("/")) if path.endswith("/") else ("first_file", path)
    return parse_files(output_of(host, f"{SHOW}\n{kind} {shlex.quote(place)}\necho end", as_root=True).stdout)


def _inside(script: str, enter: str) -> str:
    return f"{enter} /bin/sh -c {shlex.quote(script)}" if enter else script

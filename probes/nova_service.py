"""When a service of Nova was started, and the devices that it sees: on the host or in its container."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from access.errors import ParseError
from access.host import Host, output_of, succeeded
from access.questions import Question
from probes.reading import lines_of

MISSING = re.compile(r"no such (?:object|container)", re.IGNORECASE)
CONTAINER = re.compile(r"(?P<running>true|false) (?P<restarting>true|false) (?P<restarts>\d{1,9}) (?P<date>\S.{0,80})")
INSPECT = "inspect --format '{{.State.Running}} {{.State.Restarting}} {{.RestartCount}} {{.State.StartedAt}}'"


class Service(Protocol):
    """A service as the cloud's deployer runs it."""

    @property
    def name(self) -> str:
        """Name of its systemd unit or container."""

    @property
    def container_engine(self) -> str | None:
        """docker or podman; None if it is a systemd unit."""

    @property
    def anchor(self) -> str:
        """Command that prints the pid of its unit or container; "" if it is none of this host's."""


@dataclass(frozen=True)
class NovaService:
    """A service as its host runs it."""

    name: str
    is_running: bool
    started: datetime | None
    """None if it does not run."""
    is_known: bool = True
    """Whether there is a unit or container of this name at all: under another name it may run all the same."""
    restarts: int = 0
    """How often it was started again because it ended, since somebody started it; 0 where that is not counted."""


def parse_unit(name: str, text: str) -> NovaService:
    """Read `systemctl show --property=LoadState,ActiveState,ActiveEnterTimestamp,NRestarts`; RHEL 7 has no NRestarts.

    Raises:
        ParseError: a property is missing or no date.
    """
    values = dict(line.split("=", 1) for line in lines_of("systemctl show", text) if "=" in line)
    if "ActiveState" not in values or "ActiveEnterTimestamp" not in values:
        raise ParseError("systemctl show", "a property is missing", line=text.strip())
    if values["ActiveState"] != "active":
        return NovaService(name, False, None, is_known=values.get("LoadState") != "not-found")
    counted = values.get("NRestarts", "").strip()
    restarts = int(counted) if re.fullmatch(r"\d{1,9}", counted) else 0
    return NovaService(name, True, _date("systemctl show", values["ActiveEnterTimestamp"]), restarts=restarts)


def parse_container(name: str, text: str) -> NovaService:
    """Read INSPECT's answer, e.g. `true false 0 2026-01-31T10:11:12.123456789Z`.

    Raises:
        ParseError: another shape.
    """
    found = CONTAINER.fullmatch(text.strip())
    if found is None:
        raise ParseError("container inspect", "not its state, its restarts and a date", line=text.strip())
    if found["running"] != "true" or found["restarting"] == "true":  # docker says of one that restarts: it runs
        return NovaService(name, False, None)
    return NovaService(name, True, _date("container inspect", found["date"]), restarts=int(found["restarts"]))


def _date(tool: str, text: str) -> datetime:
    """A date of systemd (`Tue 2026-01-31 10:11:12 UTC`), of docker (RFC 3339) or of podman."""
    cleaned = text.strip()
    for form in ("%a %Y-%m-%d %H:%M:%S UTC", "%a %Y-%m-%d %H:%M:%S GMT"):
        try:
            return datetime.strptime(cleaned, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    words = cleaned.split()
    joined = f"{words[0]}T{words[1][:15]}{words[2]}" if len(words) >= 3 else cleaned
    whole, dot, rest = joined.partition(".")
    if dot:  # nanoseconds: Python reads six digits
        digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
        joined = f"{whole}.{digits[:6]}{rest[len(digits) :]}"
    try:
        found = datetime.fromisoformat(joined)
    except ValueError as error:
        raise ParseError(tool, "not a date that we know", line=text.strip()) from error
    if found.tzinfo is None:
        raise ParseError(tool, "a date without a zone", line=text.strip())
    return found


SHOW = "TZ=UTC LC_ALL=C systemctl show --property=LoadState,ActiveState,ActiveEnterTimestamp,NRestarts"


def question_of(service: Service) -> Question | None:
    """What `read` asks; None where it asks nothing."""
    if not service.anchor:
        return None
    name, engine = shlex.quote(service.name), service.container_engine
    return Question(f"{SHOW} {name}" if engine is None else f"{engine} {INSPECT} {name}", as_root=True)


def read(host: Host, service: Service) -> NovaService:
    """When a service was started, by systemd or by its container's engine; neither knows it where others keep it."""
    asked = question_of(service)
    if asked is None:
        return NovaService(service.name, False, None, is_known=False)
    if service.container_engine is None:
        return parse_unit(service.name, output_of(host, asked.command, as_root=True).stdout)
    inspected = host.run(asked.command, as_root=True)
    if inspected.exit_code and MISSING.search(inspected.stderr):
        return NovaService(service.name, False, None, is_known=False)
    return parse_container(service.name, succeeded(inspected).stdout)


def devices_seen(host: Host, pid: int) -> tuple[str, ...]:
    """Addresses of the PCI devices that a process of the host finds in /sys; it may run in a container.

    Raises:
        ParseError: a cut answer.
    """
    script = f"cd /proc/{pid}/root/sys/bus/pci/devices 2>/dev/null && ls; echo end"
    words = output_of(host, script, as_root=True).stdout.split()
    if not words or words[-1] != "end":
        raise ParseError("ls /sys/bus/pci/devices", "the answer is cut off", line=" ".join(words[-1:]))
    return tuple(words[:-1])

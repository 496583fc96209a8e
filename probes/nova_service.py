"""When a service of Nova was started, and the configuration that it really has: on the host or in its container."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime

from access.errors import ParseError
from access.host import Host, output_of
from probes.reading import lines_of

INSIDE = "/etc/nova/nova.conf"
"""Where Nova reads its configuration, on a host as in a container."""
INSPECT = "inspect --format '{{.State.Running}} {{.State.StartedAt}}'"


@dataclass(frozen=True)
class NovaService:
    """A service as its host runs it."""

    name: str
    is_running: bool
    started: datetime | None
    """None if it does not run."""


def parse_unit(name: str, text: str) -> NovaService:
    """Read `systemctl show --property=ActiveState,ActiveEnterTimestamp` with dates as seconds since the epoch.

    Raises:
        ParseError: a property is missing or no date.
    """
    values = dict(line.split("=", 1) for line in lines_of("systemctl show", text) if "=" in line)
    if "ActiveState" not in values or "ActiveEnterTimestamp" not in values:
        raise ParseError("systemctl show", "a property is missing", line=text.strip())
    if values["ActiveState"] != "active":
        return NovaService(name, False, None)
    return NovaService(name, True, _date("systemctl show", values["ActiveEnterTimestamp"]))


def parse_container(name: str, text: str) -> NovaService:
    """Read INSPECT's answer, e.g. `true 2026-01-31T10:11:12.123456789Z`.

    Raises:
        ParseError: another shape.
    """
    words = text.split(maxsplit=1)
    if len(words) != 2 or words[0] not in ("true", "false"):
        raise ParseError("container inspect", "not running and a date", line=text.strip())
    return NovaService(name, words[0] == "true", _date("container inspect", words[1]) if words[0] == "true" else None)


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


def read(host: Host, name: str, engine: str | None) -> NovaService:
    """A service such as `nova-compute`, in a container when the release has an `engine` (docker, podman)."""
    if engine is None:
        unit = f"openstack-{name}"
        shown = "systemctl show --property=ActiveState,ActiveEnterTimestamp"
        return parse_unit(unit, output_of(host, f"TZ=UTC LC_ALL=C {shown} {shlex.quote(unit)}", as_root=True).stdout)
    container = name.replace("-", "_")
    return parse_container(container, output_of(host, f"{engine} {INSPECT} {container}", as_root=True).stdout)


def read_configuration(host: Host, name: str, engine: str | None) -> str:
    """Text of nova.conf as the service itself sees it."""
    inside = f"{engine} exec {name.replace('-', '_')} " if engine else ""
    return output_of(host, f"{inside}cat {INSIDE}", as_root=True).stdout


def modified(host: Host, path: str) -> datetime:
    """When a file was changed last."""
    text = output_of(host, f"stat -c %Y {shlex.quote(path)}", as_root=True).stdout.strip()
    if not text.isdigit():
        raise ParseError("stat", "not seconds since the epoch", line=text)
    return datetime.fromtimestamp(int(text), UTC)


def devices_seen(host: Host, name: str, engine: str | None) -> tuple[str, ...]:
    """Addresses of the PCI devices that a service finds in /sys; it may run in a container."""
    inside = f"{engine} exec {name.replace('-', '_')} " if engine else ""
    return tuple(output_of(host, f"{inside}ls /sys/bus/pci/devices", as_root=True).stdout.split())

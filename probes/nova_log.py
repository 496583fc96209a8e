"""The last words of a service of Nova: why it ended, from its log, its unit's journal or its container's output.

https://docs.openstack.org/oslo.log/latest/configuration/index.html
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from access.errors import ParseError
from access.host import Host, output_of
from probes.nova_service import Service
from probes.reading import bounded

FOLDERS = (
    "/var/log/nova",
    "/var/log/containers/nova",
    "/var/log/kolla/nova",
    "/var/lib/docker/volumes/kolla_logs/_data/nova",
    "/var/lib/containers/storage/volumes/kolla_logs/_data/nova",
    "/var/snap/openstack-hypervisor/common/var/log/nova",
)
"""Where packages, TripleO, kolla-ansible and Sunbeam let Nova write its logs."""
POD_LOGS = "/var/log/containers/{name}*_{name}-*.log"
"""Where a kubelet keeps what the container of that name in a pod of that name wrote."""
LINES = 300
PRINTED_LINES = 20000
SOURCE = re.compile(r"=== (\S.{0,300})")
RECORD = re.compile(
    r"(?:.{0,120}? )?(?P<date>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)[.,]\d{1,6} \d{1,9} "
    r"(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL|TRACE|AUDIT) \S{1,200} (?:\[[^\]]{0,400}\] )?(?P<message>.*)"
)
EXCEPTION = re.compile(r"(?:[A-Za-z_][\w]{0,80}\.){0,8}(?:[A-Z]|libvirtE)\w{2,80}(?::| \() ?\S.*")
"""The last line of a traceback, e.g. nova.exception.PciInvalidAlias: Invalid PCI alias definition …"""
UNHANDLED = "Unhandled error: "
BAD = ("ERROR", "CRITICAL")
LIMIT_CHARS = 1000


@dataclass(frozen=True)
class LastWords:
    """The error that a log ends with."""

    source: str
    """The file, or the command that prints the log."""
    date: str
    """As the log has it; "" where it has none."""
    text: str
    """Exception and message, without traceback."""


def parse(text: str, *, goes_on: bool = False) -> LastWords | None:
    """Read a log's end behind its source; None if it does not end with an error.

    A service that ended by a signal, or goes on, writes something else after its last error. With `goes_on` that is
    allowed: it was started again since.

    Raises:
        ParseError: the first line names no source.
    """
    lines = bounded("log of Nova", text).splitlines()
    source = SOURCE.fullmatch(lines[0].strip()) if lines else None
    if source is None:
        raise ParseError("log of Nova", "no source in the first line", line=lines[0] if lines else "")
    records = [RECORD.fullmatch(line) for line in lines[1:]]
    last = _last(records, BAD) if goes_on else _last(records)
    if last is None:
        return _of_plain_lines(source[1], lines[1:])
    first = last
    while first > 0 and _is_bad(records[first - 1]) and _is_bad(records[last]):
        first -= 1
    return _error(source[1], [record for record in records[first : last + 1] if record is not None])


def _last(records: Sequence[re.Match[str] | None], levels: Sequence[str] = ()) -> int | None:
    """Where the last record of these levels, or of any, stands."""
    numbered = ((number, record) for number, record in enumerate(records) if record is not None)
    found = [number for number, record in numbered if not levels or record["level"] in levels]
    return found[-1] if found else None


def _is_bad(record: re.Match[str] | None) -> bool:
    return record is None or record["level"] in BAD


def _error(source: str, records: list[re.Match[str]]) -> LastWords | None:
    """The most telling of the errors at the end: what ended the service, the last exception, or the first line."""
    if records[-1]["level"] not in BAD:
        return None
    critical = [record for record in records if UNHANDLED in record["message"]]
    exceptions = [record for record in records if EXCEPTION.match(record["message"])]
    own = [record for record in records if record["message"][:1].strip()]
    chosen = (critical or exceptions or own or records)[-1]
    text = chosen["message"].partition(UNHANDLED)[2] or chosen["message"]
    first = own[0]["message"] if own and not critical else ""
    told = text if not first or first in text or first.startswith("Traceback") else f"{first} ({text})"
    return LastWords(source, chosen["date"], told.strip()[:LIMIT_CHARS])


def _of_plain_lines(source: str, lines: list[str]) -> LastWords | None:
    """A traceback that went to standard error, before a log was opened."""
    filled = [line.strip() for line in lines if line.strip()]
    if not filled or not any("Traceback (most recent call last)" in line for line in filled):
        return None
    return LastWords(source, "", filled[-1][:LIMIT_CHARS]) if EXCEPTION.search(filled[-1]) else None


def command_that_prints(service: Service, called: str, narrowed: str) -> str:
    """Shell that prints the newest log of a service behind its source, `=== SOURCE`, through the filter `narrowed`.

    `called` is Nova's own name of the service, e.g. nova-compute. Where no file of that name is found the source is
    what its container or its unit wrote last.
    """
    name, unit = shlex.quote(f"{called}.log"), shlex.quote(service.name)
    printed = (
        f"{service.container_engine} logs --tail {PRINTED_LINES} {unit}"
        if service.container_engine
        else (f"journalctl --no-pager --output=cat --lines={PRINTED_LINES} --unit={unit}")
    )
    files = " ".join((*(f"{folder}/{name}" for folder in FOLDERS), POD_LOGS.format(name=shlex.quote(called))))
    return (
        f"newest=$(ls -t {files} 2>/dev/null | head -n 1); "
        f'if [ -n "$newest" ]; then echo "=== $newest"; cat "$newest" | {narrowed}; '
        f"else echo '=== {printed}'; {printed} 2>&1 | {narrowed}; fi"
    )


def read(host: Host, service: Service, called: str, *, goes_on: bool = False) -> LastWords | None:
    """What the newest log of `service` on `host` ends with; `called` is Nova's own name for it, e.g. nova-compute.

    None where it ends with no error, or where no log is found. With `goes_on` it may have written more since.
    """
    command = command_that_prints(service, called, f"tail -n {LINES}")
    return parse(output_of(host, command, as_root=True).stdout, goes_on=goes_on)

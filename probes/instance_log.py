"""Why a nova-compute could not start an instance: the last error about it in the host's nova-compute.log.

When each host that was tried has failed, Nova says "Exceeded maximum number of retries" and keeps the reasons in these
logs only. https://docs.openstack.org/oslo.log/latest/configuration/index.html
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from itertools import takewhile

from access.errors import ParseError
from access.host import Host, output_of
from probes.nova_log import BAD, EXCEPTION, LIMIT_CHARS, RECORD, SOURCE, LastWords, command_that_prints
from probes.nova_service import Service
from probes.reading import bounded

TOOL = "nova-compute.log"
CALLED = "nova-compute"
LINES = 200
END = "=== end"
INSTANCE = re.compile(r"\[instance: (?P<id>[\da-f-]{36})\] ?(?P<words>.*)")
QEMU = re.compile(r"(?:\d{4}-\d\d-\d\dT\S{1,40}Z? |\S{0,200}qemu|(?:Please|Verify) |-device|-accel|vfio|libvirt)")
"""How a line of QEMU, or of libvirt about it, begins."""
CODE = re.compile(r" {2,}|Traceback|[\s~^]*\Z|(?:yield|raise)\b")
"""Lines of a traceback that say nothing to whoever runs a cloud."""


def parse(text: str, instance_id: str) -> LastWords | None:
    """The last error of the log's lines about an instance; None if there is none.

    Raises:
        ParseError: the answer has no end, or names no file before its lines.
    """
    lines = bounded(TOOL, text).splitlines()
    if not lines or lines[-1] != END:
        raise ParseError(TOOL, "the answer has no end", line=lines[-1] if lines else "")
    if len(lines) == 1:
        return None
    source = SOURCE.fullmatch(lines[0])
    if source is None:
        raise ParseError(TOOL, "no source is named before the lines", line=lines[0])
    said = [record for line in lines[1:-1] if (record := _of_instance(line, instance_id)) is not None]
    exceptions = [number for number, (_, words) in enumerate(said) if EXCEPTION.match(words)]
    if not said:
        return None
    chosen = exceptions[-1] if exceptions else len(said) - 1
    told = [said[chosen][1], *_goes_on([words for _, words in said[chosen + 1 :]] if exceptions else [])]
    return LastWords(source[1], said[chosen][0], " ".join(told)[:LIMIT_CHARS])


def _of_instance(line: str, instance_id: str) -> tuple[str, str] | None:
    """Date and words of an error about the instance; None for other lines, and for those of a traceback."""
    record = RECORD.fullmatch(line)
    found = INSTANCE.search(line) if record is not None and record["level"] in BAD else None
    if record is None or found is None or found["id"] != instance_id or CODE.match(found["words"]):
        return None
    return record["date"], found["words"].strip()


def _goes_on(words: Sequence[str]) -> Iterator[str]:
    """What an exception says in further lines: QEMU often warns first and names the reason last."""
    return takewhile(QEMU.match, words)


def read(host: Host, service: Service, instance_id: str) -> LastWords | None:
    """What the log of nova-compute on a host has of an instance; None where it says nothing, or there is no log."""
    narrowed = f"grep -F {shlex.quote(instance_id)} | grep -E ' (ERROR|CRITICAL) ' | tail -n {LINES}"
    command = f"{command_that_prints(service, CALLED, narrowed)}; echo '{END}'"
    return parse(output_of(host, command, as_root=True).stdout, instance_id)

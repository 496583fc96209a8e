"""Why a nova-compute could not start an instance: the last error about it in the host's nova-compute.log.

When each host that was tried has failed, Nova says "Exceeded maximum number of retries" and keeps the reasons in these
logs only. https://docs.openstack.org/oslo.log/latest/configuration/index.html
"""

from __future__ import annotations

import re
import shlex

from access.errors import ParseError
from access.host import Host, output_of
from probes.nova_log import BAD, EXCEPTION, FOLDERS, LIMIT_CHARS, RECORD, LastWords
from probes.reading import bounded

TOOL = "nova-compute.log"
LINES = 200
END = "=== end"
INSTANCE = re.compile(r"\[instance: (?P<id>[\da-f-]{36})\] ?(?P<words>.*)")
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
    if not lines[0].startswith("=== /"):
        raise ParseError(TOOL, "no file is named before its lines", line=lines[0])
    told: LastWords | None = None
    for line in lines[1:-1]:
        record = RECORD.fullmatch(line)
        found = INSTANCE.search(line) if record is not None and record["level"] in BAD else None
        if record is None or found is None or found["id"] != instance_id or CODE.match(found["words"]):
            continue
        is_reason = told is None or not EXCEPTION.match(told.text) or EXCEPTION.match(found["words"]) is not None
        if is_reason:
            told = LastWords(lines[0].removeprefix("=== "), record["date"], found["words"].strip()[:LIMIT_CHARS])
    return told


def read(host: Host, instance_id: str) -> LastWords | None:
    """What the log of nova-compute on a host has of an instance; None where it says nothing, or there is no log."""
    files = " ".join(f"{folder}/nova-compute.log" for folder in FOLDERS)
    command = (
        f"newest=$(ls -t {files} 2>/dev/null | head -n 1); "
        f'if [ -n "$newest" ]; then echo "=== $newest"; '
        f"grep -F {shlex.quote(instance_id)} \"$newest\" | grep -E ' (ERROR|CRITICAL) ' | tail -n {LINES}; fi; "
        f"echo '{END}'"
    )
    return parse(output_of(host, command, as_root=True).stdout, instance_id)

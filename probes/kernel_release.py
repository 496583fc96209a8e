"""uname -r: the running kernel's release, which packages of headers carry in their names."""

from __future__ import annotations

import re

from access.errors import ParseError
from access.host import Host, output_of
from access.questions import Question
from probes.reading import transcript_of

TOOL = "uname -r"
RELEASE = re.compile(r"[0-9]{1,2}\.[0-9]{1,3}[A-Za-z0-9._+~-]{0,100}")
COMMAND = "uname -r"
QUESTIONS = (Question(COMMAND),)


def parse(text: str) -> str:
    """E.g. "3.10.0-693.el7.x86_64".

    Raises:
        ParseError: empty, or something else.
    """
    lines = [line.strip() for line in transcript_of(TOOL, text, "uname") if line.strip()]
    if len(lines) != 1 or RELEASE.fullmatch(lines[0]) is None:
        raise ParseError(TOOL, "not one release", line=lines[-1])
    return lines[0]


def read(host: Host) -> str:
    """The kernel that `host` runs."""
    return parse(output_of(host, COMMAND).stdout)

"""Reading lines of a tool's answer, with an error that quotes the line."""

from __future__ import annotations

from probes.host import Host, output_of
from provisioning.errors import ParseError

LIMIT_CHARS = 5_000_000
"""No tool that we read says more; a longer answer is not read at all."""


def lines_of(tool: str, text: str) -> list[str]:
    """Lines of a non-empty answer.

    Raises:
        ParseError: the answer is empty or longer than LIMIT_CHARS.
    """
    if not text.strip():
        raise ParseError(tool, "the answer is empty")
    if len(text) > LIMIT_CHARS:
        raise ParseError(tool, f"the answer is longer than {LIMIT_CHARS} characters")
    return text.splitlines()


def read_file(host: Host, path: str, *, as_root: bool = False) -> str:
    """A file of the host.

    Raises:
        CommandError: it is not there or cannot be read.
    """
    return output_of(host, f"cat {path}", as_root=as_root).stdout

"""Reading lines of a tool's answer, with an error that quotes the line."""

from __future__ import annotations

import re
import shlex

from access.errors import ParseError
from access.host import Host, output_of
from access.questions import Question

LIMIT_CHARS = 5_000_000
"""Longer answers are refused: no tool that is read prints more."""
LIMIT_LINE_CHARS = 16_384
LIMIT_ANSWER_LINE_CHARS = 4096
"""Lines of files may be long; those that a tool prints are not."""
LIMIT_CALL_CHARS = 300
TERMINAL_CONTROL = re.compile(r"\x1b\[[0-9;?]{0,16}[A-Za-z]")
PROMPT = re.compile(r"[^$#>]{0,120}[$#>] ?[^$#>]{0,100}|/(?:[\w.-]{1,40}/){0,8}")
BARE_PROMPT = re.compile(r"\s*\[?[\w.-]{1,64}@[\w.-]{1,64}[: ][^$#]{0,200}[$#]")
HTML_LINE_END = re.compile(r"<br ?/?>$")
LINE_END = re.compile(r"\r*\n|\r")
NUMBER = re.compile(r"[-+]?[0-9]{1,18}(?:\.[0-9]{1,18})?(?:[eE][-+]?[0-9]{1,2})?")
WHOLE = re.compile(r"[0-9]{1,18}")


def bounded(tool: str, text: str) -> str:
    """The answer itself, if it is short enough to be read.

    Raises:
        ParseError: it is longer than LIMIT_CHARS.
    """
    if len(text) > LIMIT_CHARS:
        raise ParseError(tool, f"the answer is longer than {LIMIT_CHARS} characters", line=text)
    return text


def lines_of(tool: str, text: str, *, limit_line_chars: int = LIMIT_LINE_CHARS) -> list[str]:
    """Lines of a non-empty answer, whatever system's line ends it has, without colours and blank ends of lines.

    Raises:
        ParseError: the answer is empty, longer than LIMIT_CHARS, or a line of it longer than `limit_line_chars`.
    """
    plain = TERMINAL_CONTROL.sub("", bounded(tool, text).removeprefix("\ufeff"))
    if not plain.strip().strip("\ufeff"):
        raise ParseError(tool, "the answer is empty", line=text.strip().strip("\ufeff"))
    lines = [line.rstrip() for line in LINE_END.split(plain)]
    for number, line in enumerate(lines, start=1):
        if len(line) > limit_line_chars:
            raise ParseError(
                tool, f"a line is longer than {limit_line_chars} characters", line=line, line_number=number
            )
    while lines and not lines[-1]:
        lines.pop()
    return lines


def transcript_of(tool: str, text: str, program: str) -> list[str]:
    """`lines_of` an answer as people copy it: the call of `program` above it, a prompt below, HTML's line ends.

    Above a file, nvidia-bug-report.sh writes two lines with stars. Line numbers stay those of the text: such lines
    become empty ones.

    Raises:
        ParseError: as `lines_of`.
    """
    lines = [HTML_LINE_END.sub("", line) for line in lines_of(tool, text, limit_line_chars=LIMIT_ANSWER_LINE_CHARS)]
    if len(lines) > 1 and BARE_PROMPT.fullmatch(lines[-1]):
        lines.pop()
    for number, line in enumerate(lines):
        if line.startswith("*** ") or is_call(line, program):
            lines[number] = ""
        elif line.strip():
            break
    if not any(line.strip() for line in lines):
        raise ParseError(tool, "a call without an answer", line=text.strip())
    return lines


def is_call(line: str, program: str) -> bool:
    """Whether a line is a shell's prompt followed by a call of `program`, e.g. `[root@gpu1 ~]# nvidia-smi -q`."""
    place = line.find(program, 0, LIMIT_CALL_CHARS)
    while place >= 0:
        if PROMPT.fullmatch(line, 0, place):
            return True
        place = line.find(program, place + 1, LIMIT_CALL_CHARS)
    return False


def number_of(tool: str, text: str, line: str, line_number: int) -> float:
    """A figure in plain decimal notation.

    Raises:
        ParseError: something else stands there.
    """
    if NUMBER.fullmatch(text) is None:
        raise ParseError(tool, f"{text[:40]!r} is no figure", line=line, line_number=line_number)
    return float(text)


def question_of(path: str, *, as_root: bool = False) -> Question:
    """What `read_file` asks."""
    return Question(f"cat {shlex.quote(path)}", as_root)


def read_file(host: Host, path: str, *, as_root: bool = False) -> str:
    """A file of the host.

    Raises:
        CommandError: it is not there or cannot be read.
    """
    return output_of(host, question_of(path, as_root=as_root).command, as_root=as_root).stdout

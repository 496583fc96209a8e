"""Many questions to one host in one go: one login, one command, and each answer as if it had been asked alone."""

from __future__ import annotations

import base64
import re
import secrets
import shlex
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from access.answer import PREAMBLE
from access.errors import CommandError, ConnectError, LoginError, MeasurementError
from access.host import CommandOutput, Host

MARK = f"--question-{secrets.token_hex(8)}-"
"""Of this process: no host can print it by chance."""
TOGETHER_S = 120.0
"""As long as the slowest command alone: what hangs is asked again alone, with the time that its probe gives it."""
LIMIT_BYTES = 32 * 1024 * 1024
"""As of one command: a host is not trusted to be brief."""
LONGEST_SCRIPT_CHARS = 90_000
"""Linux takes 128 KiB as one word of a command line (MAX_ARG_STRLEN)."""
_ASK = rf"""q() {{
  read -r t rest </proc/uptime; printf '%s\n' "{MARK}$1-begin"
  e=$({{ (eval "$2") </dev/null >&3; printf 'x%s' $?; }} 2>&1)
  read -r u rest </proc/uptime; printf '\n%s\n%s\n%s\n' "{MARK}$1-said" "$e" "{MARK}$1-end $t $u"
}}"""
_PIECE = re.compile(
    rf"(?:\A|\n){MARK}(?P<number>\d{{1,6}})-begin\n(?P<stdout>(?s:.*?))\n{MARK}(?P=number)-said\n"
    rf"(?P<stderr>(?s:.*?))x(?P<code>\d{{1,3}})\n{MARK}(?P=number)-end (?P<begun>\d{{1,12}}\.\d{{1,2}}) "
    rf"(?P<ended>\d{{1,12}}\.\d{{1,2}})(?=\n)"
)


@dataclass(frozen=True)
class Question:
    """A command that only looks, as a probe asks it."""

    command: str
    as_root: bool = False


def script_of(questions: Sequence[Question]) -> str:
    """One script that answers all, packed: marks, and each command in a subshell without input; root's in one sudo.

    The seconds since the boot stand in the marks: what a command took is known without a clock of ours. Packed, since a
    hundred small answers are as many packets, which cost either side more than the answers.
    """
    calls = [(question.as_root, f"q {n} {shlex.quote(question.command)}") for n, question in enumerate(questions)]
    own, roots = ([call for as_root, call in calls if as_root == wanted] for wanted in (False, True))
    by_root = shlex.quote("\n".join((PREAMBLE, _ASK, "{", *roots, "} 3>&1")))
    become = f'r={by_root}\n[ "$(id -u)" = 0 ] && s= || s="sudo -n --"; $s /bin/sh -c "$r" </dev/null'
    return "\n".join((_ASK, "{", *own, *([become] if roots else ()), "} 3>&1 | gzip -1 -c | base64"))


def answers_of(host: str, questions: Sequence[Question], packed: str) -> dict[Question, CommandOutput]:
    """The answers that came whole; a cut one is none."""
    found: dict[Question, CommandOutput] = {}
    for piece in _PIECE.finditer(_unpacked(packed)):
        number = int(piece["number"])
        if number < len(questions):
            question = questions[number]
            took_s = round(float(piece["ended"]) - float(piece["begun"]), 2)
            code, stdout, stderr = int(piece["code"]), piece["stdout"], piece["stderr"]
            found[question] = CommandOutput(host, question.command, code, stdout, stderr, took_s)
    return found


def _unpacked(packed: str) -> str:
    """As much of it as is there, and no more than a host may say."""
    whole = "".join(packed.split())
    try:
        data = base64.b64decode(whole[: len(whole) // 4 * 4])
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(data, LIMIT_BYTES).decode("utf-8", "replace")
    except (ValueError, zlib.error):
        return ""


def ask_together(host: Host, questions: Sequence[Question]) -> dict[Question, CommandOutput]:
    """Ask all at once; what has no whole answer is left out, to be asked alone.

    Raises:
        ConnectError: the host cannot be reached. A login without a shell or without root is no such error here.
    """
    found: dict[Question, CommandOutput] = {}
    for part in _parts(list(dict.fromkeys(questions))):
        found |= _asked(host, part)
    return found


def _parts(questions: Sequence[Question]) -> list[list[Question]]:
    """As many at once as one command line takes; a single longer one is left to be asked alone."""
    parts: list[list[Question]] = []
    room = 0
    for question in questions:
        length = len(shlex.quote(shlex.quote(shlex.quote(question.command))))
        if length > LONGEST_SCRIPT_CHARS:
            continue
        if length > room:
            parts.append([])
            room = LONGEST_SCRIPT_CHARS
        parts[-1].append(question)
        room -= length
    return parts


def _asked(host: Host, questions: Sequence[Question]) -> dict[Question, CommandOutput]:
    try:
        output = host.run(script_of(questions), timeout_s=TOGETHER_S)
    except LoginError:
        return {}
    except ConnectError:
        raise
    except CommandError as error:  # one of them did not end, or printed too much: those before it did
        return answers_of(host.name, questions, error.stdout)
    except MeasurementError:
        return {}
    return answers_of(host.name, questions, output.stdout)

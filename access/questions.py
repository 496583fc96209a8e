"""Many questions to one host in one go: one login, one command, and each answer as if it had been asked alone."""

from __future__ import annotations

import re
import secrets
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from access.errors import CommandError, ConnectError, LoginError, MeasurementError
from access.host import CommandOutput, Host

MARK = f"--question-{secrets.token_hex(8)}-"
"""Of this process: no host can print it by chance."""
TOGETHER_S = 60.0
"""As long as one command: what hangs is asked again alone, with the time that its probe gives it."""
LONGEST_SCRIPT_CHARS = 90_000
"""Linux takes 128 KiB as one word of a command line (MAX_ARG_STRLEN)."""
_ASK = rf"""q() {{
  read -r t rest </proc/uptime; printf '%s\n' "{MARK}$1-begin" >&2; printf '%s\n' "{MARK}$1-begin"
  (eval "$2") </dev/null; c=$?
  read -r u rest </proc/uptime; printf '\n%s\n' "{MARK}$1-end $c $t $u" >&2; printf '\n%s\n' "{MARK}$1-end $c $t $u"
}}"""
_BEGIN = re.compile(rf"(?:\A|\n){MARK}(\d{{1,6}})-begin\n")
_END = re.compile(rf"\n{MARK}(\d{{1,6}})-end (\d{{1,3}}) (\d{{1,12}}\.\d{{1,2}}) (\d{{1,12}}\.\d{{1,2}})\n")


@dataclass(frozen=True)
class Question:
    """A command that only looks, as a probe asks it."""

    command: str
    as_root: bool = False


def script_of(questions: Sequence[Question]) -> str:
    """One shell script that answers all: marks on both streams, each command in a subshell without input.

    The seconds since the boot stand in the marks: what a command took is known without a clock of ours.
    """
    calls = (f"q {number} {shlex.quote(question.command)}" for number, question in enumerate(questions))
    return "\n".join((_ASK, *calls))


def answers_of(host: str, questions: Sequence[Question], stdout: str, stderr: str) -> dict[Question, CommandOutput]:
    """The answers that came whole on both streams; a cut one is none."""
    found: dict[Question, CommandOutput] = {}
    complaints = _pieces(stderr)
    for number, (text, ended) in _pieces(stdout).items():
        complaint = complaints.get(number)
        if number < len(questions) and complaint is not None and complaint[1] == ended:
            code, begun_s, end_s = ended
            question = questions[number]
            duration_s = round(end_s - begun_s, 2)
            found[question] = CommandOutput(host, question.command, code, text, complaint[0], duration_s)
    return found


def _pieces(text: str) -> dict[int, tuple[str, tuple[int, float, float]]]:
    """What stands between two marks of one number, with exit code, begin and end."""
    found: dict[int, tuple[str, tuple[int, float, float]]] = {}
    place = 0
    while (begin := _BEGIN.search(text, place)) and (end := _END.search(text, begin.end())):
        if begin[1] == end[1]:
            found[int(begin[1])] = (text[begin.end() : end.start()], (int(end[2]), float(end[3]), float(end[4])))
        place = end.end() - 1
    return found


def ask_together(host: Host, questions: Sequence[Question]) -> dict[Question, CommandOutput]:
    """Ask at most twice, once as the login and once as root; what has no whole answer is left out, to be asked alone.

    Raises:
        ConnectError: the host cannot be reached. A login without a shell or without root is no such error here.
    """
    found: dict[Question, CommandOutput] = {}
    for as_root in (False, True):
        mine = [question for question in dict.fromkeys(questions) if question.as_root == as_root]
        for part in _parts(mine):
            found |= _asked(host, part, as_root=as_root)
    return found


def _parts(questions: Sequence[Question]) -> list[list[Question]]:
    """As many at once as one command line takes; a single longer one is left to be asked alone."""
    parts: list[list[Question]] = []
    room = 0
    for question in questions:
        length = len(shlex.quote(shlex.quote(question.command)))
        if length > LONGEST_SCRIPT_CHARS:
            continue
        if length > room:
            parts.append([])
            room = LONGEST_SCRIPT_CHARS
        parts[-1].append(question)
        room -= length
    return parts


def _asked(host: Host, questions: Sequence[Question], *, as_root: bool) -> dict[Question, CommandOutput]:
    try:
        output = host.run(script_of(questions), timeout_s=TOGETHER_S, as_root=as_root)
    except LoginError:
        return {}
    except ConnectError:
        raise
    except CommandError as error:  # one of them did not end, or printed too much: those before it did
        return answers_of(host.name, questions, error.stdout, error.stderr)
    except MeasurementError:
        return {}
    return answers_of(host.name, questions, output.stdout, output.stderr)

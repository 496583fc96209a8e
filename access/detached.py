"""Work that goes on in a machine when the connection is lost, and whose results are fetched afterwards.

A payload is a folder in the login user's home: its files, the script `payload`, and what it wrote. It runs in a
session of its own (setsid), so that no hang-up reaches it. While it runs it holds a lock (flock): unlike the number of
a process that lock cannot be taken over by somebody else, and it ends with the machine.

A machine whose logind has `KillUserProcesses=yes` ends it with the login; that is told as `State.KILLED`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from access.errors import CommandError
from access.host import Host, output_of

ROOT = "gpu-acceptance-load"
"""In the login user's home."""
SAFE = re.compile(r"[A-Za-z0-9_.-]{1,80}")
END_OF_FILE = "END-OF-THIS-FILE"
ANSWER_S = 120.0
"""Also a machine under full load answers in this time."""
PUT = """
set -e; umask 077; cd "$HOME"; mkdir -p {root}
if ! [ -d {folder} ]; then
rm -rf {folder}.new; mkdir {folder}.new
{files}
mv -T {folder}.new {folder}
fi
"""
BEGIN = """
set -e; umask 077; cd "$HOME"/{folder}
if mkdir started 2>/dev/null; then
setsid nohup flock -o lock /bin/sh -c 'echo $$ >pid; /bin/sh ./payload; echo $? >exit.new; mv exit.new exit' \\
>stdout 2>stderr </dev/null &
n=0; while [ $n -lt 100 ] && [ ! -e lock ] && [ ! -e exit ]; do n=$((n+1)); sleep 0.05; done
fi
"""
LOOK = """
cd "$HOME"/{folder} 2>/dev/null || {{ echo absent; exit 0; }}
[ -d started ] || {{ echo absent; exit 0; }}
flock -n lock true || {{ echo running; exit 0; }}
[ -e exit ] || sleep 1  # it may just begin
flock -n lock true || {{ echo running; exit 0; }}
if [ -e exit ]; then echo "ended $(cat exit)"; else echo killed; fi
"""
REMOVE = """
cd "$HOME"; [ -d {folder} ] || exit 0
if [ -d {folder}/started ] && ! flock -n {folder}/lock true; then
kill -s TERM -- "-$(cut -d " " -f 5 "/proc/$(cat {folder}/pid)/stat")"
n=0; while [ $n -lt 100 ] && ! flock -n {folder}/lock true; do n=$((n+1)); sleep 0.1; done
fi
rm -rf {folder}
"""
"""The lock tells that the process of that number is the payload's still."""
KILLED_REMEDY = (
    "was the machine rebooted? else see journalctl: logind ends what a login leaves where KillUserProcesses=yes "
    "(/etc/systemd/logind.conf; loginctl enable-linger USER)"
)


class State(StrEnum):
    """What became of a payload."""

    ABSENT = "absent"
    """It was never started here."""
    RUNNING = "running"
    ENDED = "ended"
    KILLED = "killed"
    """It was started, and ended without its last words."""


@dataclass(frozen=True)
class Look:
    """One look at a payload."""

    state: State
    exit_code: int | None = None
    """Of one that ended."""


def folder_of(name: str) -> str:
    """The payload's folder in the login user's home."""
    if not SAFE.fullmatch(name):
        raise ValueError(name)
    return f"{ROOT}/{name}"


def put(host: Host, name: str, files: Mapping[str, str]) -> None:
    """Lay a payload down; `files` are its files by name, the script `payload` among them. One that is there stays.

    Raises:
        ConnectError, CommandError: as `Host.run`.
    """
    folder = folder_of(name)
    written = "\n".join(_written(f"{folder}.new/{file}", text) for file, text in files.items())
    output_of(host, PUT.format(root=ROOT, folder=folder, files=written).strip(), timeout_s=ANSWER_S)


def begin(host: Host, name: str) -> None:
    """Start a payload that was laid down. May be called again after a lost connection: it starts once.

    Raises:
        ConnectError, CommandError: as `Host.run`.
    """
    output_of(host, BEGIN.format(folder=folder_of(name)).strip(), timeout_s=ANSWER_S)


def _written(path: str, text: str) -> str:
    if END_OF_FILE in text:
        raise ValueError(path)
    return f"cat >{shlex.quote(path)} <<'{END_OF_FILE}'\n{text.rstrip()}\n{END_OF_FILE}"


def look(host: Host, name: str) -> Look:
    """What became of a payload.

    Raises:
        ConnectError, CommandError: as `Host.run`; CommandError also for an answer that is none.
    """
    answer = output_of(host, LOOK.format(folder=folder_of(name)).strip(), timeout_s=ANSWER_S)
    words = answer.stdout.split()
    if not words or words[0] not in set(State) or not all(word.lstrip("-").isdigit() for word in words[1:]):
        raise CommandError("not what a look at a payload gives", command=answer.command, host=host.name)
    return Look(State(words[0]), int(words[1]) if len(words) > 1 else None)


def fetch(host: Host, name: str, file: str) -> str | None:
    """The text of one of its files; None where it did not write it.

    Raises:
        ConnectError, CommandError: as `Host.run`.
    """
    path = f'"$HOME"/{folder_of(name)}/{shlex.quote(file)}'
    output = output_of(host, f"if [ -e {path} ]; then echo there; cat {path}; fi", timeout_s=ANSWER_S)
    first, _, text = output.stdout.partition("\n")
    return text if first == "there" else None


def remove(host: Host, name: str) -> None:
    """End a payload that still runs, and remove it with all that it wrote.

    Raises:
        ConnectError, CommandError: as `Host.run`.
    """
    output_of(host, REMOVE.format(folder=folder_of(name)).strip(), timeout_s=ANSWER_S)

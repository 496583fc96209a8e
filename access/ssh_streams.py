"""What a command over SSH prints: taken as it comes, bounded in size and time."""

from __future__ import annotations

import codecs
import select
import time
from collections.abc import Callable
from typing import NoReturn, Protocol

import paramiko

from access.answer import Answer
from access.errors import CommandError, CommandTimeout

OUTPUT_LIMIT_BYTES = 32 * 1024 * 1024
"""A host is not trusted to be brief."""
CHUNK_BYTES = 65536
POLL_S = 0.05
"""How long a deadline may be overlooked."""


class Stream:
    """Bytes in; the answer as text and, while it comes, as lines."""

    def __init__(self, on_line: Callable[[str], None] | None) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._answer = Answer()
        self._on_line = on_line
        self._parts: list[str] = []
        self._rest = ""
        self.size_bytes = 0

    @property
    def has_begun(self) -> bool:
        """Whether the marker of the answer was seen."""
        return self._answer.has_begun

    @property
    def before(self) -> str:
        """What came before the answer."""
        return self._answer.before

    def feed(self, data: bytes) -> bool:
        """Take what has come; whether it was anything."""
        self.size_bytes += len(data)
        text = self._answer.feed(self._decoder.decode(data))
        self._parts.append(text)
        if self._on_line is not None:
            *lines, self._rest = (self._rest + text).split("\n")
            for line in lines:
                self._on_line(line.rstrip("\r"))
        return bool(data)

    def text(self) -> str:
        """The whole answer; a last line without its end is passed on, too."""
        if self._rest and self._on_line is not None:
            self._on_line(self._rest)
            self._rest = ""
        return "".join(self._parts)


class GiveUp(Protocol):
    """Ends a command with what is known of it."""

    def __call__(self, error: type[CommandError], reason: str) -> NoReturn:
        """Raise the error."""


def collect(channel: paramiko.Channel, streams: tuple[Stream, Stream], timeout_s: float, give_up: GiveUp) -> int:
    """Feed stdout and stderr until the command has ended; its exit code."""
    deadline = time.monotonic() + timeout_s
    readable = select.poll()
    readable.register(channel, select.POLLIN)
    while True:
        # asked before the streams are read: what comes in between belongs to the command, too
        ended = channel.closed or (channel.eof_received and channel.exit_status_ready())
        received = _feed(channel, streams)
        if time.monotonic() > deadline and not (ended and not received):
            give_up(CommandTimeout, f"still running after {timeout_s:g} s")
        if received:
            if streams[0].size_bytes + streams[1].size_bytes > OUTPUT_LIMIT_BYTES:
                give_up(CommandError, "more than 32 MiB of output")
            continue
        if ended:
            return channel.exit_status
        if channel.eof_received:  # the channel's file stays readable from then on
            channel.status_event.wait(POLL_S)
        else:
            readable.poll(POLL_S * 1000)


def _feed(channel: paramiko.Channel, streams: tuple[Stream, Stream]) -> bool:
    """Take what has come on stdout and stderr; whether anything had."""
    received = False
    if channel.recv_ready():
        received = streams[0].feed(channel.recv(CHUNK_BYTES))
    if channel.recv_stderr_ready():
        received = streams[1].feed(channel.recv_stderr(CHUNK_BYTES)) or received
    return received

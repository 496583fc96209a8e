"""What a person sees while long steps run: one line a step and one for each change in it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from access.terminal import say

_BEFORE_LINE: list[Callable[[], object]] = []


def before_each_line(do: Callable[[], object] | None) -> None:
    """What is done before a line is printed: whoever is in the middle of a line of the same terminal ends it."""
    _BEFORE_LINE[:] = [do] if do is not None else []


class Progress:
    """Prints to a stream and remembers how long each step took."""

    def __init__(self, stream: TextIO | None = None, *, quiet: bool = False) -> None:
        # a worker of xdist has no stdout of its own, and pytest hides sys.stderr: the process's one is what people see
        self._stream = stream if stream is not None else (sys.__stderr__ or sys.stderr)
        self._quiet = quiet
        self._started = time.monotonic()
        self.seconds: dict[str, float] = {}
        """Duration of each finished step, in seconds."""

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Name a step; its time is kept also when it fails."""
        started = time.monotonic()
        self.say(name)
        try:
            yield
        finally:
            self.seconds[name] = time.monotonic() - started

    def detail(self, text: str) -> None:
        """Something changed within the step."""
        self.say(f"  {text}")

    def say(self, text: str) -> None:
        """One line with the seconds since the start."""
        if not self._quiet:
            for do in _BEFORE_LINE:
                do()
            line = text.replace("\n", "\u240a")[:500]
            say(f"[{time.monotonic() - self._started:6.1f}s] {line}", self._stream)

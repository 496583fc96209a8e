"""Ctrl-C before anything runs: while plugins are loaded nobody catches it, and Python would show its own inside."""

from __future__ import annotations

import sys
from types import TracebackType


def told_shortly() -> None:
    """From now on an interruption that nobody catches is one line; the exit code stays that of the signal."""
    others = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            print("\ninterrupted before anything was run", file=sys.stderr)  # noqa: T201
        else:
            others(kind, error, trace)

    sys.excepthook = hook

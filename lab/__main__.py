"""`python -m lab`: runs in the lab's own environment, whichever Python starts it."""

from __future__ import annotations

import os
import sys

from lab.environment import enter
from lab.paths import LabPaths


def main() -> int:
    """Switch to the lab's environment, or run the command if this is that environment."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["install"]:
        from lab.install import install

        return install(LabPaths.of(), arguments[1:])
    if (older := _without_fault(arguments)) is not None:
        os.execv(sys.executable, [sys.executable, "-m", "faults", *older])
    failed = enter("lab", arguments)
    if failed is not None:
        return failed
    from lab.cli import run

    return run(arguments)


def _without_fault(arguments: list[str]) -> list[str] | None:
    """`[--name NAME] fault …` without the word `fault`; None for other commands.

    It is the older name of `python -m faults`.
    """
    is_separate = arguments[:1] == ["--name"]
    before = 2 if is_separate else 1 if arguments and arguments[0].startswith("--name=") else 0
    if arguments[before : before + 1] != ["fault"]:
        return None
    return arguments[:before] + arguments[before + 1 :]


sys.exit(main())

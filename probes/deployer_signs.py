"""Which files and directories of a list a host has: what a deployer leaves behind shows which one it was."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from access.errors import ParseError
from access.host import Host, output_of

TOOL = "signs of a deployer"
ENGINES = ("docker", "podman")


@dataclass(frozen=True)
class Signs:
    """What was found on one host."""

    paths: frozenset[str]
    engines: frozenset[str]
    """Container engines that are installed."""


def parse(text: str) -> Signs:
    """Read the answer of `read`.

    Raises:
        ParseError: a line of another shape, or a cut answer.
    """
    lines = text.splitlines()
    if not lines or lines[-1] != "end":
        raise ParseError(TOOL, "the answer is cut off", line=lines[-1] if lines else "")
    pairs = [line.partition(" ")[::2] for line in lines[:-1]]
    unknown = next((kind for kind, _ in pairs if kind not in ("path", "engine")), None)
    if unknown is not None:
        raise ParseError(TOOL, "neither a path nor an engine", line=unknown)
    return Signs(
        frozenset(value for kind, value in pairs if kind == "path"),
        frozenset(value for kind, value in pairs if kind == "engine"),
    )


def read(host: Host, paths: Iterable[str]) -> Signs:
    """Which of `paths` are there."""
    script = (
        f"for path in {shlex.join(paths)}; do if [ -e $path ]; then echo path $path; fi; done; "
        f"for each in {' '.join(ENGINES)}; do if command -v $each >/dev/null 2>&1; then echo engine $each; fi; done; "
        "echo end"
    )
    return parse(output_of(host, script, as_root=True).stdout)

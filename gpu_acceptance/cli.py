"""The command `gpu-acceptance`: one word for each thing that people do with a cloud."""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from gpu_acceptance.home import SUITES, open_rooms

NOT_REWRITTEN = "ignore:Module already imported so cannot be rewritten; gpu_acceptance"
"""pytest would rewrite the assertions of every plugin's package; this one has none."""
USAGE_ERROR = 64
"""EX_USAGE of sysexits.h: what was given cannot be used."""
MODULES = {
    "discover": ("cloud_file", "write a cloud file from a cloud that is there"),
    "check": ("cloud_file", "read a cloud file and name every mistake, without touching the cloud"),
    "preflight": ("preflight", "read the files of a deploy and name what will fail"),
    "certify": ("reports", "sign the hardware certification of a run"),
    "verify": ("reports", "tell whether a certificate is genuine"),
    "trend": ("reports", "all nights of a cloud as curves"),
    "reports": ("reports", "list, compare, load, page, junit, schema of runs"),
    "lab": ("lab", "the embedded cloud: up, status, ssh, logs, restart, reset, down, destroy, install"),
    "faults": ("faults", "put faults into labs and tell which were found"),
}
WITHOUT_WORD = ("preflight", "reports", "lab", "faults")
"""Modules that take the rest of the words as they are; the others are one command of a module with several."""
OWN = {
    "accept": "run the suites on a cloud: accept NAME [options of pytest] [your own checks]",
    "version": "print version and commit",
}


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; its exit code, or 64 where there is no such command."""
    command, *rest = (sys.argv[1:] if words is None else words) or ["--help"]
    if command in OWN:
        doing: dict[str, Callable[[Sequence[str]], int]] = {"accept": accept, "version": version}
        return doing[command](rest)
    if command in MODULES:
        return _module(command, rest)
    print(usage())
    return 0 if command in ("-h", "--help", "help") else USAGE_ERROR


def usage() -> str:
    """What there is, one line each."""
    lines = OWN | {name: text for name, (_, text) in MODULES.items()}
    shown = "\n".join(f"  {name:<10} {text}" for name, text in lines.items())
    return f"usage: gpu-acceptance COMMAND …\n\n{shown}\n\ngpu-acceptance COMMAND --help has the options of one."


def accept(words: Sequence[str]) -> int:
    """`accept [NAME] …`: pytest on the suites, and on what else is named."""
    import pytest

    name, rest = (words[0], words[1:]) if words and not words[0].startswith("-") else ("", words)
    given = any(word == "--cloud" or word.startswith("--cloud=") for word in rest)
    cloud = [] if given and not name else ["--cloud", name or "lab"]
    options = ["-p", "gpu_acceptance.plugin", "-W", NOT_REWRITTEN, "--rootdir", str(Path.cwd())]
    return int(pytest.main([*options, str(SUITES), *cloud, *rest]))


def version(words: Sequence[str]) -> int:
    """Print them, for example `0.2.0 (commit 1f0c…)`."""
    open_rooms()
    from reports.version import suite_commit, suite_version

    print(f"gpu-acceptance {suite_version()} ({suite_commit() or 'commit unknown'})")
    return 0


def _module(command: str, rest: Sequence[str]) -> int:
    """As `python -m MODULE [COMMAND] …` does it, whatever folder this is."""
    open_rooms()
    module = MODULES[command][0]
    os.environ["GPU_SUITE_PYTHON"] = sys.executable  # faults run in the lab's environment, acceptances in this one
    sys.argv = [module, *([] if command in WITHOUT_WORD else [command]), *rest]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    return 0

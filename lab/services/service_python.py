"""The Python of a container of Nova: what is run with it sees nova-conductor's own configuration and packages."""

from __future__ import annotations

import os
import subprocess

from lab.paths import LabPaths
from lab.services.deployed import deployed, files_of
from lab.services.processes import environment
from lab.state import load


def service_python(arguments: list[str]) -> int:
    """Carry out `python ARGUMENT…` in the lab's environment of OpenStack, with nova-conductor's files."""
    state = load(LabPaths.of(os.environ["LAB_NAME"]))
    own = files_of(state, deployed(state, "nova-conductor"))
    files = [state.paths.etc / "nova-conductor.conf", *own]
    options = [word for file in files for word in ("--config-file", str(file))]
    python = state.paths.openstack_env / "bin" / "python"
    words = [str(python), *_without_files(arguments), *options]
    return subprocess.run(words, env=environment(state), check=False).returncode


def _without_files(arguments: list[str]) -> list[str]:
    """Without the files of a command line: their names are those of the container, whose files are given anyway."""
    named = ("--config-file", "--config-dir")
    pairs = zip(["", *arguments], arguments, strict=False)
    return [word for before, word in pairs if before not in named and word.partition("=")[0] not in named]

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
    return subprocess.run([python, *arguments, *options], env=environment(state), check=False).returncode

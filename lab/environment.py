"""The lab's own Python environment: a command that belongs there is started again with its interpreter."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from lab.paths import REPOSITORY, LabPaths, called

NOT_INSTALLED = 69


def enter(module: str, arguments: Sequence[str]) -> int | None:  # noqa: RET503  execve does not return
    """Replace this process by `python -m MODULE ARGUMENTS` of the lab's environment.

    Returns None if this process runs there already, an exit code if the lab is not installed.
    """
    environment = LabPaths.of().openstack_env
    if os.path.realpath(sys.prefix) == os.path.realpath(environment):
        return None
    python = environment / "bin" / "python"
    if not LabPaths.of().openstack_stamp.exists():
        print(f"the lab is not installed; run: {called('install')}", file=sys.stderr)
        return NOT_INSTALLED
    # -P: a folder `lab` of the current directory, another checkout's or anybody's, is not ours
    command = [str(python), "-P", "-m", module, *arguments]
    os.execve(python, command, {**os.environ, "PYTHONPATH": str(REPOSITORY)})

"""`python -m lab`: runs in the lab's own environment, whichever Python starts it."""

from __future__ import annotations

import os
import sys

from lab.paths import REPOSITORY, LabPaths


def main() -> int:
    """Hand over to the lab's environment, or run the command there."""
    environment = LabPaths.of().openstack_env
    if sys.argv[1:2] == ["install"]:
        from lab.install import install

        return install(LabPaths.of())
    python = environment / "bin" / "python"
    if os.path.realpath(sys.prefix) != os.path.realpath(environment):
        if not python.exists():
            print("the lab is not installed; run: python -m lab install", file=sys.stderr)
            return 69
        variables = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        os.execve(python, [str(python), "-m", "lab", *sys.argv[1:]], variables)
    from lab.cli import run

    return run(sys.argv[1:])


sys.exit(main())

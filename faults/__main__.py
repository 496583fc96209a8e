"""`python -m faults`: runs in the lab's own environment, whichever Python starts it."""

from __future__ import annotations

import sys

from lab.environment import enter


def main() -> int:
    """Switch to the lab's environment, or run the command if this is that environment."""
    failed = enter("faults", sys.argv[1:])
    if failed is not None:
        return failed
    from faults.cli import main as run_command

    return run_command(sys.argv[1:])


sys.exit(main())

"""Finding the programs of the CUDA samples by name: their folder differs by version."""

from __future__ import annotations

import re

from probes.host import CommandOutput, Host
from provisioning.errors import CommandError, ToolMissing

FIND = 'find "$HOME" /usr/local/cuda*/ /opt -name {name} -type f -perm -u+x 2>/dev/null | head -n 1'
SAFE_NAME = re.compile(r"[A-Za-z0-9_]+")


def run_sample(host: Host, name: str, arguments: str = "", *, timeout_s: float = 300.0) -> CommandOutput:
    """Run a sample.

    Raises:
        ToolMissing: no executable of that name.
        CommandError: it failed; carries what it said.
    """
    if not SAFE_NAME.fullmatch(name):
        raise ValueError(name)
    path = host.run(FIND.format(name=name), timeout_s=60).stdout.strip()
    if not path:
        raise ToolMissing(f"no program {name} of the CUDA samples", command=FIND.format(name=name), host=host.name)
    output = host.run(f"{path} {arguments}".strip(), timeout_s=timeout_s)
    if output.exit_code != 0:
        raise CommandError(
            f"{name} failed",
            command=output.command,
            host=host.name,
            exit_code=output.exit_code,
            stdout=output.stdout,
            stderr=output.stderr,
        )
    return output

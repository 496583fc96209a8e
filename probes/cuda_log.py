"""What the script that installs CUDA in an instance wrote, and the kernel log of that time."""

from __future__ import annotations

from access.host import Host

COMMAND = "dmesg; cat /var/log/install-cuda.log 2>/dev/null; true"
LIMIT_CHARS = 1_000_000


def read(host: Host) -> tuple[str, ...]:
    """Lines of both, the kernel's first; none if neither can be read."""
    return tuple(host.run(COMMAND, as_root=True).stdout[-LIMIT_CHARS:].splitlines())

"""What the kernel, the script that installs CUDA and modprobe say of the driver in an instance; nothing is loaded."""

from __future__ import annotations

from access.host import Host

COMMAND = (
    "dmesg; cat /var/log/install-cuda.log 2>/dev/null; modprobe -n -v nvidia 2>&1; "
    "modprobe -c 2>/dev/null | grep -x 'blacklist nvidia'; true"
)
LIMIT_CHARS = 1_000_000


def read(host: Host) -> tuple[str, ...]:
    """Lines of all, the kernel's first; none if nothing can be read."""
    return tuple(host.run(COMMAND, as_root=True).stdout[-LIMIT_CHARS:].splitlines())

"""What a run keeps of credentials beside its records, and their removal once nothing is left that needs them."""

from __future__ import annotations

from cloud_file.cloud import Cloud

FILES = ("credentials.json", "environment.json", "environment.run", "tenant-password", "id_ed25519", "id_ed25519.pub")
"""The administrator's and the tenant's variables, where they are used, the tenant's password and its key."""


def forget(cloud: Cloud) -> list[str]:
    """Remove them; the names of those that were there. A later run makes or asks for new ones."""
    there = [cloud.runs / name for name in FILES if (cloud.runs / name).is_file()]
    for path in there:
        path.unlink()
    return [path.name for path in there]

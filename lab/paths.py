"""Where a lab keeps its files. Every other module asks here."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def called(words: str) -> str:
    """A command of the lab as the user types it: a checkout's, or the installed program's."""
    return f"{'python -m' if _is_checkout() else 'gpu-acceptance'} lab {words}"


def _is_checkout() -> bool:
    return (REPOSITORY / "pyproject.toml").is_file()


@dataclass(frozen=True)
class LabPaths:
    """The directories of one lab, below `home`/NAME, and the cache that labs share."""

    home: Path
    name: str

    @classmethod
    def of(cls, name: str = "default") -> LabPaths:
        """The lab called `name`, below $GPU_LAB_HOME, the checkout's .lab or, without one, the user's data."""
        home = Path(os.environ.get("GPU_LAB_HOME") or _home())
        return cls(home.absolute(), name)

    @property
    def state(self) -> Path:
        """All that `destroy` removes."""
        return self.home / self.name

    @property
    def cache(self) -> Path:
        """What is the same for every lab: environment, userland, database templates."""
        return self.home / "cache"

    @property
    def openstack_env(self) -> Path:
        """The virtual environment of the OpenStack services and of the lab's own code."""
        return self.cache / "openstack"

    @property
    def openstack_stamp(self) -> Path:
        """The sum of the requirements that are installed there; without it the installation did not end."""
        return self.openstack_env / "requirements.sha256"

    @property
    def userland(self) -> Path:
        """Root of the Debian userland that all emulated machines share, read-only."""
        return self.cache / "userland"

    @property
    def schemas(self) -> Path:
        """Empty databases as the pinned releases make them; the name changes with everything that decides them."""
        services = REPOSITORY / "lab" / "services"
        code = [services / "schema.py", services / "databases.py", *sorted((services / "projects").glob("*.py"))]
        sources = (REPOSITORY / "requirements" / "lab.txt", *code)
        key = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
        return self.cache / "schemas" / key

    @property
    def etc(self) -> Path:
        """Configuration that the lab adds to the services, beside the emulated hosts' own files."""
        return self.state / "etc"

    @property
    def databases(self) -> Path:
        """One SQLite file per service database, e.g. neutron.db, nova_api.db, nova_cell1.db."""
        return self.state / "db"

    @property
    def logs(self) -> Path:
        """One log per service."""
        return self.state / "log"

    @property
    def secrets(self) -> Path:
        """Passwords and keys of this lab, mode 0600."""
        return self.state / "secrets"

    @property
    def machines(self) -> Path:
        """One directory per emulated host or guest."""
        return self.state / "machines"

    @property
    def layers(self) -> Path:
        """Copies of the checkout's layers of the machines' /usr."""
        return self.state / "layers"

    @property
    def connection_file(self) -> Path:
        """What a client needs to reach the lab: addresses, ports, key files."""
        return self.state / "connection.json"

    @property
    def sockets(self) -> Path:
        """Unix sockets: a short path, since the kernel takes at most 107 bytes (man 7 unix)."""
        digest = hashlib.sha256(str(self.state).encode()).hexdigest()[:12]
        base = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
        # host calls run in a machine's user namespace, where everybody's uid is another
        uid = os.environ.get("LAB_UID") or os.getuid()
        return base / f"gpulab-{uid}-{digest}"


def _home() -> Path:
    """What is installed may belong to root: labs are kept where the XDG base directory specification says."""
    if _is_checkout():
        return REPOSITORY / ".lab"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "gpu-acceptance" / "lab"

"""A virtual machine's own files: an archive as its second disk, unpacked at the first boot by lab-seed.service."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

from lab.metal import network, nova_compute
from lab.state import LabState

PRIVATE, PUBLIC = 0o600, 0o644
LOGINS = ("/root", "/home/heat-admin")
INSTANCES_END_WITHIN_S = 3
"""Nothing in them hears the power button; Debian waits for five minutes."""
HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"


def write(state: LabState, name: str, target: Path) -> None:
    """Make the archive, which holds passwords: only its owner may read it."""
    key = host_key(state, name)
    files = {path: (text, PUBLIC) for path, text in _public(state, name).items()}
    files |= {path: (text, PRIVATE) for path, text in nova_compute.files(state, name).items()}
    files[HOST_KEY] = (key.read_text(), PRIVATE)
    target.touch(mode=PRIVATE)
    with tarfile.open(target, "w") as archive:
        for path, (text, mode) in sorted(files.items()):
            _add(archive, path, text.encode(), mode)


def _public(state: LabState, name: str) -> dict[str, str]:
    login = (state.paths.secrets / "id_ed25519.pub").read_text()
    return {
        "/etc/hostname": f"{name}\n",
        "/etc/hosts": f"127.0.0.1 localhost\n{network.INSIDE} {name}\n",
        "/etc/default/libvirt-guests": f"ON_SHUTDOWN=shutdown\nSHUTDOWN_TIMEOUT={INSTANCES_END_WITHIN_S}\n",
        "/etc/lab-relay.json": network.relay_settings(state),
        f"{HOST_KEY}.pub": host_key(state, name).with_suffix(".pub").read_text(),
        **{f"{home}/.ssh/authorized_keys": login for home in LOGINS},
    }


def _add(archive: tarfile.TarFile, path: str, content: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(path.lstrip("/"))
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))


def host_key(state: LabState, name: str) -> Path:
    """The machine's SSH host key, made once."""
    key = state.paths.secrets / f"{name}-host-key"
    if not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", key], check=True)
    return key

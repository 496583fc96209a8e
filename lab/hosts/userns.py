"""Enter a user namespace that has more than one user, as root and as an ordinary user alike.

In it the caller is uid 0. When the caller is root the mapping is the identity; else uid 1 and up are the
subordinate ids of /etc/subuid, so files of several owners can be made, changed and removed without root.
`python -m lab.hosts.userns PROGRAM ARG…` runs a program there.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import subprocess
import sys
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
IDS = 65536
MS_REC_PRIVATE = 0x4000 | 0x40000

_libc = ctypes.CDLL(None, use_errno=True)


class NamespaceRefused(Exception):
    """The system does not allow user namespaces, or no subordinate ids are set; says what to do."""


def enter() -> None:
    """Move this process, which must have one thread, into a new user and mount namespace, as root of it."""
    outside_uid, outside_gid = os.getuid(), os.getgid()
    unshared_read, unshared_write = os.pipe()
    mapped_read, mapped_write = os.pipe()
    me = os.getpid()
    helper = os.fork()
    if helper == 0:
        _map_from_outside(me, outside_uid, outside_gid, unshared_read, mapped_write)
    os.close(unshared_read)
    os.close(mapped_write)
    _unshare()
    os.write(unshared_write, b"u")
    os.close(unshared_write)
    complaint = b"".join(iter(lambda: os.read(mapped_read, 4096), b""))
    os.close(mapped_read)
    os.waitpid(helper, 0)
    if complaint:
        raise NamespaceRefused(complaint.decode())
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    os.setgroups([0])
    if _libc.mount(b"none", b"/", None, ctypes.c_ulong(MS_REC_PRIVATE), None) != 0:
        raise OSError(ctypes.get_errno(), "cannot make mounts private")


def _unshare() -> None:
    if _libc.unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0:
        return
    reason = os.strerror(ctypes.get_errno())
    raise NamespaceRefused(
        f"the kernel refuses user namespaces ({reason}). As root: sysctl user.max_user_namespaces=15000; where "
        "they exist also kernel.unprivileged_userns_clone=1 and kernel.apparmor_restrict_unprivileged_userns=0. "
        "In a container give it the seccomp profile `unconfined`."
    )


def _map_from_outside(target: int, uid: int, gid: int, go: int, report: int) -> None:
    complaint = ""
    try:
        os.read(go, 1)
        if uid == 0:
            Path(f"/proc/{target}/uid_map").write_text(f"0 0 {IDS}")
            Path(f"/proc/{target}/gid_map").write_text(f"0 0 {IDS}")
        else:
            _write_map("newuidmap", target, uid, _subordinate("/etc/subuid", uid))
            _write_map("newgidmap", target, gid, _subordinate("/etc/subgid", uid))
    except Exception as error:  # the parent raises it
        complaint = str(error) or repr(error)
    os.write(report, complaint.encode())
    os._exit(0)


def _write_map(tool: str, target: int, own: int, subordinate: tuple[int, int]) -> None:
    start, count = subordinate
    argv = [tool, str(target), "0", str(own), "1", "1", str(start), str(min(count, IDS - 1))]
    try:
        done = subprocess.run(argv, capture_output=True, text=True)
    except FileNotFoundError:
        raise NamespaceRefused(f"{tool} is missing. As root: apt-get install uidmap") from None
    if done.returncode:
        raise NamespaceRefused(f"{' '.join(argv)}: {done.stderr.strip()}")


def _subordinate(file: str, uid: int) -> tuple[int, int]:
    user = pwd.getpwuid(uid).pw_name
    try:
        lines = [line.split(":") for line in Path(file).read_text().splitlines()]
    except FileNotFoundError:
        lines = []
    for fields in lines:
        if len(fields) == 3 and fields[0] in (user, str(uid)):
            return int(fields[1]), int(fields[2])
    option = "--add-subuids" if file.endswith("subuid") else "--add-subgids"
    raise NamespaceRefused(f"{file} has no line for {user}. As root: usermod {option} 100000-165535 {user}")


if __name__ == "__main__":
    try:
        enter()
    except NamespaceRefused as refusal:
        sys.exit(f"lab: {refusal}")
    os.execvp(sys.argv[1], sys.argv[1:])

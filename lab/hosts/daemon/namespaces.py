"""Start one machine.

`python -m lab.hosts.daemon.namespaces MACHINE_DIR USR_LOWER INIT_TITLE` prints the pid of its init.

User, mount, pid, uts and ipc namespaces around an overlay of the shared userland. The network stays the outside's:
machines reach each other and the control plane on loopback, and nothing else.
"""

from __future__ import annotations

import contextlib
import ctypes
import getpass
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUTS, CLONE_NEWIPC = (
    0x10000000,
    0x20000,
    0x20000000,
    0x4000000,
    0x8000000,
)
CLONE_NEWTIME = 0x80
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 2, 4, 8, 4096, 16384, 1 << 18, 2
UIDS = 65536
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
PROC_FILES = ("cmdline", "version", "cpuinfo", "meminfo")
INIT = 'trap "exit 0" TERM; sleep infinity & wait'
SHIM = "/usr/local/lib/lab/shim.so"

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _mount(source: str, target: str, kind: str | None = None, flags: int = 0, options: str = "") -> None:
    names = [value.encode() if value is not None else None for value in (source, target, kind, options)]
    _check(_libc.mount(names[0], names[1], names[2], ctypes.c_ulong(flags), names[3]), f"mount {source} on {target}")


def _bind(source: str, target: str) -> None:
    _mount(source, target, None, MS_BIND | MS_REC)


def start(machine: Path, usr_lower: str, title: str) -> int:
    """Start the machine whose directory is `machine`; returns the pid of its init, seen from outside."""
    from_child, to_parent = os.pipe()
    from_parent, to_child = os.pipe()
    helper = os.fork()
    if helper == 0:
        os.close(from_child)
        os.close(to_child)
        _in_child(machine, usr_lower, title, from_parent, to_parent)
    os.close(to_parent)
    os.close(from_parent)
    if os.read(from_child, 1) != b"u":
        raise OSError("the machine's namespaces cannot be made")
    _map_users(helper)
    os.write(to_child, b"m")
    answer = b""
    while chunk := os.read(from_child, 4096):
        answer += chunk
    os.waitpid(helper, 0)
    first, _, complaint = answer.decode().partition("\n")
    if not first.startswith("pid ") or complaint:
        raise OSError(complaint or first or "the machine's init did not start")
    return int(first.split()[1])


def become_root_of(pid: int) -> None:
    """Let this process be root over the files of all users of the machine with the init `pid`.

    Only its namespace can.
    """
    with open(f"/proc/{pid}/ns/user") as namespace:
        _check(_libc.setns(namespace.fileno(), CLONE_NEWUSER), "enter the machine's user namespace")
    _become_root()


def _become_root() -> None:
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)


def _in_child(machine: Path, usr_lower: str, title: str, from_parent: int, to_parent: int) -> None:
    try:
        os.setsid()
        _check(_libc.unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC), "unshare")
        os.write(to_parent, b"u")
        os.read(from_parent, 1)
        _become_root()
        _start_clock()
        init = os.fork()
        if init == 0:
            _become_init(machine, usr_lower, title, to_parent)
        os.write(to_parent, f"pid {init}\n".encode())
    except BaseException as error:
        os.write(to_parent, f"{type(error).__name__}: {error}".encode())
        os._exit(1)
    os._exit(0)


def _start_clock() -> None:
    """Let the machine's uptime begin now, where the kernel has time namespaces (man 7 time_namespaces)."""
    if not os.path.exists("/proc/self/ns/time") or _libc.unshare(CLONE_NEWTIME) != 0:
        return
    for clock, identifier in (("monotonic", time.CLOCK_MONOTONIC), ("boottime", time.CLOCK_BOOTTIME)):
        seconds = int(time.clock_gettime(identifier))
        with contextlib.suppress(OSError), open("/proc/self/timens_offsets", "w") as offsets:
            offsets.write(f"{clock} -{seconds} 0\n")


def _become_init(machine: Path, usr_lower: str, title: str, to_parent: int) -> None:
    try:
        name = machine.name.encode()
        _libc.sethostname(name, len(name))
        _file_systems(machine, usr_lower)
        (Path("/run/lab/started")).touch()
        null = os.open("/dev/null", os.O_RDWR)
        for descriptor in range(3):
            os.dup2(null, descriptor)
        os.execve("/bin/sh", ["sh", "-c", INIT, title], {"PATH": "/usr/sbin:/usr/bin"})
    except BaseException as error:
        os.write(to_parent, f"{type(error).__name__}: {error}".encode())
        os._exit(1)


def _map_users(pid: int) -> None:
    uid, gid = os.getuid(), os.getgid()
    if uid == 0:
        for kind in ("uid", "gid"):
            Path(f"/proc/{pid}/{kind}_map").write_text(f"0 0 {UIDS}")
        return
    users, groups = _subordinate("/etc/subuid", uid), _subordinate("/etc/subgid", uid)
    if users is None or groups is None or shutil.which("newuidmap") is None:
        raise OSError("an ordinary user needs the package uidmap and a range in /etc/subuid and /etc/subgid")
    subprocess.run(["newuidmap", str(pid), "0", str(uid), "1", "1", *users], check=True)
    subprocess.run(["newgidmap", str(pid), "0", str(gid), "1", "1", *groups], check=True)


def _subordinate(file: str, uid: int) -> tuple[str, str] | None:
    for line in Path(file).read_text().splitlines() if Path(file).exists() else ():
        owner, first, count = line.split(":")
        if owner in (getpass.getuser(), str(uid)):
            return first, str(int(count) - 1)
    return None


def _file_systems(machine: Path, usr_lower: str) -> None:
    _mount("none", "/", None, MS_REC | MS_PRIVATE)
    root = str(machine / ".root")
    os.makedirs(root, exist_ok=True)
    _mount("tmpfs", root, "tmpfs", 0, "mode=755")
    disks = [
        path.name for path in (machine / "fs").iterdir() if path.is_dir() and path.name not in ("usr", ".usr-work")
    ]
    for name in (*disks, "usr", "tmp", "run", "proc", "sys", "dev", "mnt", "media", "old"):
        os.mkdir(f"{root}/{name}")
    for name in ("bin", "sbin", "lib", "lib64"):
        os.symlink(f"usr/{name}", f"{root}/{name}")
    upper, work = machine / "fs" / "usr", machine / "fs" / ".usr-work"
    options = f"userxattr,lowerdir={usr_lower},upperdir={upper},workdir={work}"
    _mount("overlay", f"{root}/usr", "overlay", 0, options)
    for name in disks:
        _bind(str(machine / "fs" / name), f"{root}/{name}")
    for name, mode in (("run", "755"), ("tmp", "1777")):
        _mount("tmpfs", f"{root}/{name}", "tmpfs", MS_NOSUID | MS_NODEV, f"mode={mode}")
    _kernel_view(machine, root)
    _devices(root)
    os.chdir(root)
    _check(_libc.pivot_root(b".", b"old"), "pivot_root")
    os.chdir("/")
    _check(_libc.umount2(b"/old", MNT_DETACH), "umount /old")
    os.rmdir("/old")


def _kernel_view(machine: Path, root: str) -> None:
    for name in ("lab", "sshd", "lock", "user"):
        os.mkdir(f"{root}/run/{name}")
    os.mkdir(f"{root}/run/lab/kernel")
    _bind(str(machine / "proc"), f"{root}/run/lab/kernel")
    for name in ("machine.json", "hostcall.sock"):
        Path(f"{root}/run/lab/{name}").touch()
        _bind(str(machine / name), f"{root}/run/lab/{name}")
    _mount("proc", f"{root}/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    for name in PROC_FILES:
        _bind(str(machine / "proc" / name), f"{root}/proc/{name}")
    _bind(str(machine / "proc" / "osrelease"), f"{root}/proc/sys/kernel/osrelease")
    _bind(str(machine / "proc" / "boot_id"), f"{root}/proc/sys/kernel/random/boot_id")
    _bind(str(machine / "proc" / "driver"), f"{root}/proc/driver")
    if os.path.exists("/proc/modules"):
        _bind(str(machine / "proc" / "modules"), f"{root}/proc/modules")
    _bind(str(machine / "sys"), f"{root}/sys")


def _devices(root: str) -> None:
    _mount("tmpfs", f"{root}/dev", "tmpfs", MS_NOSUID, "mode=755")
    for name in DEVICES:
        Path(f"{root}/dev/{name}").touch()
        _bind(f"/dev/{name}", f"{root}/dev/{name}")
    for name in ("pts", "shm"):
        os.mkdir(f"{root}/dev/{name}")
    _mount("devpts", f"{root}/dev/pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=620")
    _mount("tmpfs", f"{root}/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
    links = {
        "ptmx": "pts/ptmx",
        "fd": "/proc/self/fd",
        "stdin": "/proc/self/fd/0",
        "stdout": "/proc/self/fd/1",
        "stderr": "/proc/self/fd/2",
    }
    for name, target in links.items():
        os.symlink(target, f"{root}/dev/{name}")


if __name__ == "__main__":
    print(start(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))

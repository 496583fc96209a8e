"""The Debian userland that all machines of the lab share, read-only.

`mmdebstrap --variant=extract` unpacks packages without running their maintainer scripts: no root is needed, and
nothing is installed on the user's own system.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

SUITE = "bookworm"
SHOWN_LINES = 5
LOADER = "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
PACKAGES = (
    "base-files",
    "base-passwd",
    "bash",
    "bsdutils",
    "ca-certificates",
    "cloud-init",
    "coreutils",
    "curl",
    "debianutils",
    "diffutils",
    "file",
    "findutils",
    "gawk",
    "grep",
    "gzip",
    "hostname",
    "iproute2",
    "kmod",
    "less",
    "libc-bin",
    "openssh-client",
    "openssh-server",
    "openssl",
    "passwd",
    "patch",
    "pciutils",
    "procps",
    "python3",
    "sed",
    "sudo",
    "tar",
    "util-linux",
    "wget",
    "xz-utils",
)


def build_userland(target: Path) -> None:
    """Unpack the userland into `target` unless it is there already."""
    stamp = target / ".packages.sha256"
    wanted = hashlib.sha256(" ".join((SUITE, *PACKAGES, "compiled")).encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"unpacking the machines' userland ({len(PACKAGES)} Debian packages and what they need)", file=sys.stderr)
    shutil.rmtree(target, ignore_errors=True)
    fresh = target.with_name(target.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    archive = fresh.with_suffix(".tar")
    _mmdebstrap(archive)
    # everything belongs to whoever unpacks: that user is root inside the machines
    exclude = ["--exclude=./dev/*", "--exclude=./usr/share/doc/*", "--exclude=./usr/share/locale/*"]
    subprocess.run(
        [
            "tar",
            "--extract",
            "--file",
            archive,
            "--directory",
            fresh,
            "--no-same-owner",
            "--preserve-permissions",
            *exclude,
        ],
        check=True,
    )
    archive.unlink()
    _move_into_usr(fresh)
    compile_python(fresh, fresh / "usr/lib/python3", fresh / "usr/lib/python3.11")
    (fresh / stamp.name).write_text(wanted)
    os.rename(fresh, target)


def _mmdebstrap(archive: Path) -> None:
    mode = "root" if os.getuid() == 0 else "unshare"
    command: list[str | Path] = [
        "mmdebstrap",
        "--variant=extract",
        f"--mode={mode}",
        "--include=" + ",".join(PACKAGES),
        SUITE,
        archive,
    ]
    # mmdebstrap warns about a TMPDIR that its user namespace cannot reach; /tmp always works
    environment = {**os.environ, "TMPDIR": "/tmp"}
    done = subprocess.run(command, check=False, stderr=subprocess.PIPE, text=True, env=environment)
    if done.returncode:
        print(*done.stderr.splitlines()[-SHOWN_LINES:], sep="\n", file=sys.stderr)
        done.check_returncode()


def compile_python(root: Path, *folders: Path) -> None:
    """Compile Python modules, as Debian's maintainer scripts would.

    Otherwise each start of a tool compiles them again.
    """
    python = command_of(root, "python3.11", "-m", "compileall", "-q", "-s", str(root), "-p", "/")
    # some files are examples of bad syntax: compileall says so and goes on
    subprocess.run([*python, *folders], check=False, env={**os.environ, "PYTHONHOME": str(root / "usr")})


def command_of(root: Path, program: str, *arguments: str, called: str = "") -> list[str]:
    """The command line of a program of the userland, with its own libraries, outside of any machine."""
    libraries = root / "usr/lib/x86_64-linux-gnu"
    loader = [str(root / LOADER), "--library-path", str(libraries), "--argv0", called or program]
    return [*loader, str(root / "usr/bin" / program), *arguments]


def _move_into_usr(root: Path) -> None:
    """Merge /bin, /sbin, /lib and /lib64 into /usr, as the machines have it."""
    for name in ("bin", "sbin", "lib", "lib64"):
        source, target = root / name, root / "usr" / name
        if source.is_symlink() or not source.exists():
            continue
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
        shutil.rmtree(source)
        source.symlink_to(f"usr/{name}")
    ld = root / "usr" / "lib64" / "ld-linux-x86-64.so.2"
    if ld.is_symlink():
        ld.unlink()
        ld.symlink_to("../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")

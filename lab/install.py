"""Make the lab's environment and the userland of its machines, when missing or outdated."""

from __future__ import annotations

import argparse
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lab.paths import REPOSITORY, LabPaths, called
from lab.userland import build_userland, compile_python

REQUIREMENTS = REPOSITORY / "requirements" / "lab.txt"
FAILED = 1


def install(paths: LabPaths, arguments: Sequence[str] = ()) -> int:
    """Bring environment and userland up to date; says what it does. Returns the exit code."""
    parser = argparse.ArgumentParser(prog=called("install"), description="Make what all labs share.")
    parser.add_argument("--wheels", type=Path, metavar="DIR", help="packages from here, e.g. a bundle's; no registry")
    options = parser.parse_args(arguments)
    make_cache(paths.cache)
    try:
        _environment(paths, options.wheels)
        build_userland(paths.userland)
    except subprocess.CalledProcessError as error:
        print(f"error: {shlex.join(map(str, error.cmd))} ended with {error.returncode}, see above", file=sys.stderr)
        return FAILED
    compile_python(paths.userland, *(REPOSITORY / "lab").glob("*/tools/*/usr/local/lib/lab"))
    return 0


def make_cache(cache: Path) -> None:
    """Make the folder, of the user's own group also where the checkout's folder hands its group down (set-group-ID).

    An ordinary user's machines know the user's own group only: a change of a file of another one ends in EOVERFLOW. So
    a cache that has such files is made again.
    """
    if os.getuid() != 0 and cache.exists() and cache.stat().st_gid != os.getgid():
        print("making the cache again: its files are of another group than yours", file=sys.stderr)
        shutil.rmtree(cache)
    if not cache.exists():
        cache.mkdir(parents=True)
        os.chown(cache, -1, os.getgid())
        cache.chmod(0o755)


def _environment(paths: LabPaths, wheels: Path | None) -> None:
    stamp = paths.openstack_stamp
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print("making the lab's environment (about 190 packages)", file=sys.stderr)
    shutil.rmtree(paths.openstack_env, ignore_errors=True)
    python = paths.openstack_env / "bin" / "python"
    uv = uv_program()
    make = [uv, "venv", "--quiet", "--python", sys.executable] if uv else [sys.executable, "-m", "venv"]
    subprocess.run([*make, paths.openstack_env], check=True)
    pip: list[str | Path] = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
    offline: list[str | Path] = []
    if wheels is not None:
        offline = ["--no-index", "--find-links", wheels.absolute()]
        # what is no wheel is built with it; the one of `python -m venv` is too old for that
        subprocess.run([*pip, "--quiet", *offline, "--upgrade", "setuptools"], check=True)
        offline += ["--no-build-isolation"]
    # byte code is compiled once here: every start of a service is quicker for it
    compiled = ["--compile-bytecode"] if uv else ["--compile"]
    subprocess.run([*pip, "--quiet", *offline, *compiled, "--requirement", REQUIREMENTS], check=True)
    stamp.write_text(wanted)


def uv_program() -> str | None:
    """The program uv: beside this Python, in the checkout's environment, or the one on PATH; None without one."""
    places = (Path(sys.executable).parent / "uv", REPOSITORY / ".venv" / "bin" / "uv")
    return next((str(place) for place in places if place.exists()), shutil.which("uv"))

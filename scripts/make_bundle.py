"""Makes dist/gpu-acceptance-VERSION.tar.gz: all that a machine without internet needs.

python scripts/make_bundle.py --python 3.11 --python 3.12 [--lab] [--site DIRECTORY] [--sbom FILE]

`make bundle` builds site and SBOM first. Wheels are downloaded by their pinned hashes.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
WITHOUT_WHEEL = ("ovs", "simplegeneric")
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
INSTALL = r"""#!/bin/sh
# Installs the acceptance from this folder alone: install.sh [DIRECTORY], default ~/gpu-acceptance.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
target=${1:-$HOME/gpu-acceptance}
python=${PYTHON:-python3}
fail() { echo "error: $*" >&2; exit 1; }

(cd "$here" && sha256sum --quiet --check SHA256SUMS) || fail "the bundle is damaged: copy it again"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "Python 3.11 or newer is needed, $python is $("$python" --version 2>&1); PYTHON=/path names another"
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
grep -qx "$version" "$here/pythons" ||
    fail "the bundle was made for Python $(paste -sd ' ' "$here/pythons"), not for $version"
"$python" -m venv "$target" || fail "python3-venv is missing, or $target cannot be written"
"$target/bin/python" -m pip install --quiet --disable-pip-version-check --isolated --no-index --no-deps \
    --find-links "$here/wheels" --require-hashes --only-binary :all: -r "$here/requirements.txt"
"$target/bin/gpu-acceptance" version
"""
READ_ME = """# GPU cloud acceptance {version}

    ./install.sh              # makes ~/gpu-acceptance; another folder: ./install.sh DIRECTORY
    ~/gpu-acceptance/bin/gpu-acceptance --help

With `make bundle LAB=1` the embedded lab's packages are there, too; it also wants mmdebstrap and a Debian mirror:
    ~/gpu-acceptance/bin/gpu-acceptance lab install --wheels lab-wheels

The documentation is docs/index.html; its search needs a server: python3 -m http.server --directory docs.
sbom.cdx.json names every package (CycloneDX), SHA256SUMS is checked by install.sh.
"""


def version() -> str:
    """Of this checkout."""
    return str(tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


def download(wheels: Path, requirements: Path, python: str, sources: Sequence[str] = ()) -> None:
    """Wheels of all that a file pins, for one version of Python; pip refuses what has another hash.

    `sources` are packages that are published without a wheel.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", "--requirement", str(requirements), "--dest", str(wheels)]
    command += ["--only-binary", ":all:", "--python-version", python, "--implementation", "cp"]
    for platform in PLATFORMS:
        command += ["--platform", platform]
    for name in sources:
        command += ["--no-binary", name]
    subprocess.run(command, check=True)


def build_wheel(wheels: Path) -> Path:
    """Our own."""
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    subprocess.run([uv, "build", "--quiet", "--wheel", "--out-dir", str(wheels), str(REPOSITORY)], check=True)
    (wheels / ".gitignore").unlink(missing_ok=True)
    return next(wheels.glob("gpu_cloud_acceptance-*.whl"))


def sha256(file: Path) -> str:
    """Of a file's bytes."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def make(folder: Path, pythons: Sequence[str], options: argparse.Namespace) -> None:
    """Fill the folder of the bundle."""
    shutil.rmtree(folder, ignore_errors=True)
    wheels = folder / "wheels"
    wheels.mkdir(parents=True)
    own = build_wheel(wheels)
    pins = options.requirements.read_text(encoding="utf-8")
    named = f"gpu-cloud-acceptance=={version()} \\\n    --hash=sha256:{sha256(own)}\n"
    (folder / "requirements.txt").write_text(named + pins, encoding="utf-8")
    for python in pythons:
        download(wheels, options.requirements, python)
        if options.lab:
            download(folder / "lab-wheels", REPOSITORY / "requirements" / "lab.txt", python, WITHOUT_WHEEL)
    (folder / "pythons").write_text("".join(f"{python}\n" for python in pythons), encoding="utf-8")
    (folder / "README.md").write_text(READ_ME.format(version=version()), encoding="utf-8")
    (folder / "install.sh").write_text(INSTALL, encoding="utf-8")
    (folder / "install.sh").chmod(0o755)
    shutil.copy(REPOSITORY / "LICENSE", folder)
    if options.site:
        shutil.copytree(options.site, folder / "docs")
    if options.sbom:
        shutil.copy(options.sbom, folder / "sbom.cdx.json")
    listed = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    sums = "".join(f"{sha256(path)}  {path.relative_to(folder)}\n" for path in listed)
    (folder / "SHA256SUMS").write_text(sums, encoding="utf-8")


def pack(folder: Path) -> Path:
    """The archive, the same for the same content: no owner, no time but that of the commit."""
    moment = int(os.environ.get("SOURCE_DATE_EPOCH") or 0)

    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        entry.mtime = moment
        return entry

    archive = folder.with_name(f"{folder.name}.tar.gz")
    with tarfile.open(archive, "w:gz") as made:
        made.add(folder, folder.name, filter=plain)
    return archive


def main() -> None:
    """Make it."""
    parser = argparse.ArgumentParser(description="Make the bundle for machines without internet.")
    parser.add_argument("--python", action="append", metavar="X.Y", help="default: the one that runs this")
    parser.add_argument("--lab", action="store_true", help="also the packages of the embedded lab")
    pins = REPOSITORY / "requirements" / "suite.txt"
    parser.add_argument("--requirements", type=Path, default=pins, help="pins with hashes (default: the suite's)")
    parser.add_argument("--site", type=Path, help="the documentation, built")
    parser.add_argument("--sbom", type=Path, help="the SBOM, CycloneDX")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "dist")
    options = parser.parse_args()
    pythons = options.python or [f"{sys.version_info[0]}.{sys.version_info[1]}"]
    folder = options.out / f"gpu-acceptance-{version()}"
    make(folder, pythons, options)
    print(pack(folder))


if __name__ == "__main__":
    main()

"""The /lib/modules of an emulated kernel, indexed by the real depmod."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

from lab.errors import LabError
from lab.hosts.boot_loader import version_key
from lab.paths import LabPaths
from lab.userland import command_of

MODULES: dict[str, dict[str, Any]] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text())


def install(paths: LabPaths, release: str, usr: Path) -> None:
    """Give the tree `usr` the modules of the kernel `release`."""
    shutil.copytree(_made(paths, release), usr / "lib/modules" / release, dirs_exist_ok=True)


def _made(paths: LabPaths, release: str) -> Path:
    """The modules' directory in the cache, made once a release."""
    root = paths.cache / "kernels" / release
    target = root / "lib/modules" / release
    if not target.exists() or root.stat().st_mtime < Path(__file__).with_suffix(".yaml").stat().st_mtime:
        fresh = root.with_name(f"{release}.{os.getpid()}")
        shutil.rmtree(fresh, ignore_errors=True)
        _write(fresh / "lib/modules" / release, release)
        _depmod(paths, fresh, release)
        shutil.rmtree(root, ignore_errors=True)
        fresh.replace(root)
    return target


def _write(target: Path, release: str) -> None:
    kernel_object = _kernel_object()
    version = version_key(f"-{release}")
    for path, fields in MODULES.items():
        if "until" in fields and version >= version_key(f"-{fields['until']}"):
            continue
        pairs: list[tuple[str, str]] = [(key, fields[key]) for key in ("description", "license") if key in fields]
        pairs += [("depends", fields.get("depends", "")), ("intree", "Y")]
        pairs += [(key, value) for key in ("alias", "parm") for value in fields.get(key, ())]
        kernel_object.write(str(target / "kernel" / f"{path}.ko"), release, pairs)
    (target / "modules.builtin").write_text("kernel/drivers/pci/pcieport.ko\n")
    (target / "modules.order").write_text("".join(f"kernel/{path}.ko\n" for path in MODULES))


def _kernel_object() -> ModuleType:
    file = Path(__file__).parent / "tools/common/usr/local/lib/lab/kernel_object.py"
    spec = importlib.util.spec_from_file_location("kernel_object", file)
    assert spec is not None  # noqa: S101  the file is there
    assert spec.loader is not None  # noqa: S101
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _depmod(paths: LabPaths, root: Path, release: str) -> None:
    """The userland's own depmod: none need be installed outside."""
    command = command_of(paths.userland, "kmod", "-b", str(root), release, called="depmod")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"depmod for the machines' kernel {release} failed: {done.stderr.strip()}")

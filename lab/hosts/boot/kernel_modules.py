"""The /lib/modules of an emulated kernel, indexed by the real depmod."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

from lab.errors import LabError
from lab.hosts.boot.boot_loader import version_key
from lab.paths import LabPaths
from lab.userland import command_of

_DATA = Path(__file__).with_suffix(".yaml").read_bytes()
MODULES: dict[str, dict[str, Any]] = yaml.safe_load(_DATA)


def install(paths: LabPaths, release: str, usr: Path) -> None:
    """Give the tree `usr` the modules of the kernel `release`."""
    shutil.copytree(_made(paths, release), usr / "lib/modules" / release, dirs_exist_ok=True)


def _made(paths: LabPaths, release: str) -> Path:
    """The modules' directory in the cache, made once for a release and these data; several labs may ask at once."""
    root = paths.cache / "kernels" / f"{release}-{hashlib.sha256(_DATA).hexdigest()[:12]}"
    if not root.exists():
        fresh = root.with_name(f"{root.name}.{os.getpid()}")
        shutil.rmtree(fresh, ignore_errors=True)
        _write(fresh / "lib/modules" / release, release)
        _depmod(paths, fresh, release)
        _put_in_place(fresh, root)
    return root / "lib/modules" / release


def _put_in_place(fresh: Path, root: Path) -> None:
    """Another lab may have been quicker: what it made is the same, and may be in use already."""
    try:
        fresh.rename(root)
    except OSError:
        if not root.exists():
            raise
        shutil.rmtree(fresh)


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
    file = Path(__file__).parents[1] / "tools/common/usr/local/lib/lab/kernel_object.py"
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

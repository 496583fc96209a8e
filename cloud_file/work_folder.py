"""Where your files are: cloud files in `clouds/`, runs in `.runs/`, of the checkout or of a folder of your own."""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
"""The rooms and what comes with them; in a wheel a folder that belongs to whoever installed it."""
VARIABLE = "GPU_ACCEPTANCE_FOLDER"


def work_folder() -> Path:
    """The folder of $GPU_ACCEPTANCE_FOLDER or of the checkout; else the nearest one upwards that has `clouds/`.

    Where there is none, this folder: the first run makes `.runs/` in it.
    """
    if given := os.environ.get(VARIABLE):
        return Path(given).expanduser().absolute()
    if _is_checkout():
        return REPOSITORY
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / "clouds").is_dir()), here)


def called(module: str, words: str) -> str:
    """A command of ours as the user types it: of a checkout's Python, or of the installed program."""
    return f"{'python -m' if _is_checkout() else 'gpu-acceptance'} {module} {words}"


def _is_checkout() -> bool:
    return (REPOSITORY / "pyproject.toml").is_file()


def runs_folder() -> Path:
    """Where runs are kept, a folder for each cloud."""
    return work_folder() / ".runs"


def cloud_folders() -> tuple[Path, ...]:
    """Where cloud files are looked for by name: yours first, then the embedded lab's, which come along."""
    return tuple(dict.fromkeys((work_folder() / "clouds", REPOSITORY / "clouds")))

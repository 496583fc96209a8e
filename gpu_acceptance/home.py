"""Where the rooms are, and how they come onto the import path.

In a checkout they stand beside this package. A wheel has them in `gpu_acceptance/home`, laid out alike:
their plain names (`reports`, `fixtures`, …) are not the wheel's to take in site-packages.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import sys
from collections.abc import Iterable
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
HOME = PACKAGE / "home" if (PACKAGE / "home").is_dir() else PACKAGE.parent
SUITES = HOME / "suites"
ROOMS = ("access", "probes", "cloud_file", "judging", "preflight", "provisioning", "reports", "discovery", "suites")
PATHS = (str(HOME / "fixtures"), str(HOME))


class NameTaken(Exception):
    """A module that is no room of ours was imported under a room's name."""


def open_rooms() -> None:
    """Make the rooms importable, before everything else: what they import by name is theirs.

    Raises:
        NameTaken: somebody has imported another module of a room's name.
    """
    for name in ROOMS:
        known = sys.modules.get(name)
        if known is not None and not _is_ours(name, getattr(known, "__path__", ())):
            raise NameTaken(
                f"{name!r} is a package of the acceptance, and another one was imported: {_place(known)}\n"
                "  what to do: rename it, or run the acceptance in an environment without it"
            )
    sys.path[:0] = [path for path in PATHS if path not in sys.path]
    for name in ROOMS:
        importlib.import_module(name)  # later ones of the same name find ours in their place


def others_of_a_rooms_name(folders: Iterable[Path]) -> list[str]:
    """Packages and modules that are hidden by a room of the same name: below `folders` and on the import path."""
    places = [*map(str, folders), *(path for path in sys.path if path not in PATHS)]
    found = {}
    for name in ROOMS:
        spec = importlib.machinery.PathFinder.find_spec(name, [path for path in places if path])
        origin = spec.origin if spec is not None else None  # a folder without __init__.py has none, and hides nothing
        if origin is not None and not _is_ours(name, [str(Path(origin).parent)]):
            found[name] = origin
    return list(found.values())


def _is_ours(name: str, places: Iterable[str]) -> bool:
    return any(Path(place).resolve() == HOME / name for place in places)


def _place(module: object) -> str:
    return str(getattr(module, "__file__", None) or list(getattr(module, "__path__", ["?"])))

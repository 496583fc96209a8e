"""What can be wrong, as data: each cause with its meaning, its fix and the checks that can end with it.

`CAUSE` names an entry of a file beside this one, `CAUSE/NAME` another wording of its fix. An id with a `*` stands for a
family whose member is named by a tool, for example nvidia-smi-no-devices.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from access.errors import InputError, Rejected

DIRECTORY = Path(__file__).parent


@dataclass(frozen=True)
class Cause:
    """One thing that can be wrong."""

    id: str
    means: str
    fix: str
    """What to change; words in braces are filled in by the check."""
    checks: tuple[str, ...]
    """Ids of checks, or beginnings of ids that end in `.*`."""
    fixes: Mapping[str, str] = field(default_factory=dict)
    """Other wordings of the fix by name."""

    def is_given_by(self, check: str) -> bool:
        """Whether a check can end with it."""
        return any(fnmatchcase(check, pattern) for pattern in self.checks)

    def wording(self, name: str) -> str:
        """The fix of this name; the common one for "".

        Raises:
            InputError: there is no such wording.
        """
        if not name:
            return self.fix
        if name not in self.fixes:
            raise InputError(f"the cause {self.id} has no fix {name}", remedy=f"add it in {DIRECTORY}")
        return self.fixes[name]


@cache
def causes() -> Mapping[str, Cause]:
    """All causes by id.

    Raises:
        InputError: a file has an entry that is incomplete or named twice.
    """
    found: dict[str, Cause] = {}
    for file in sorted(DIRECTORY.glob("*.yaml")):
        for name, entry in yaml.safe_load(file.read_text(encoding="utf-8")).items():
            if name in found:
                raise InputError(f"{file}: the cause {name} stands twice")
            found[name] = _cause(file, name, entry)
    return found


def _cause(file: Path, name: str, entry: Mapping[str, Any]) -> Cause:
    try:
        return Cause(id=name, **{**entry, "checks": tuple(entry["checks"])})
    except (KeyError, TypeError) as error:
        raise InputError(f"{file}: {name}: {error}") from error


def cause_of(name: str) -> Cause:
    """The cause of an id, `CAUSE/NAME` included, or the family that the id belongs to.

    Raises:
        InputError: there is none.
    """
    known, plain = causes(), name.partition("/")[0]
    if plain in known:
        return known[plain]
    family = next((cause for cause in known.values() if "*" in cause.id and fnmatchcase(plain, cause.id)), None)
    if family is None:
        raise InputError(f"there is no cause {plain}", remedy=f"add it in {DIRECTORY}")
    return family


def placeholders(text: str) -> frozenset[str]:
    """Words of a fix that the check fills in."""
    return frozenset(name for _, name, _, _ in string.Formatter().parse(text) if name)


def fix_of(name: str, **values: object) -> str:
    """What to change, with the check's own words filled in.

    Raises:
        InputError: there is no such cause, or a word is missing.
    """
    text = cause_of(name).wording(name.partition("/")[2])
    missing = placeholders(text) - set(values)
    if missing:
        raise InputError(f"the fix of {name} needs {', '.join(sorted(missing))}")
    return text.format_map(values)


def rejected(name: str, what: str, *, file: str = "", line_number: int | None = None, **values: object) -> Rejected:
    """The rejection of a cloud for a cause; `what` was found, `values` fill the fix."""
    fix = fix_of(name, **values)
    return Rejected(name.partition("/")[0], what, fix=fix, file=file, line_number=line_number)

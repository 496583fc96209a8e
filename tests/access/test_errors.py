"""The tree of errors in access/errors.py is the one that its docstring draws."""

from __future__ import annotations

import inspect
import re

from access import errors


def drawn() -> dict[str, str]:
    """Each class of the drawing with the class above it."""
    above: dict[int, str] = {}
    found = {}
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"    (?P<branch>[│ ├└─]*)(?P<name>[A-Z]\w+)(?:\s|$)", line)
        if match is None:
            continue
        depth = len(match["branch"])
        above[depth] = match["name"]
        parents = [name for level, name in above.items() if level < depth]
        found[match["name"]] = parents[-1] if depth else "Exception"
    return found


def test_the_drawing_is_the_tree() -> None:
    """A class that is added or moved is drawn, too."""
    classes = {
        name: kind.__bases__[0].__name__
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if kind.__module__ == errors.__name__
    }

    assert drawn() == classes

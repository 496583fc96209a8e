"""What the suites say of themselves, read from their source: checks, and the causes that each names literally."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
ORDER = {"require": 1, "rejected": 0}
"""Functions that name a cause, and at which position; `cause=` names it anywhere."""


@dataclass(frozen=True)
class Named:
    """One cause that is named literally."""

    where: str
    cause: str
    words: frozenset[str]
    """Keywords of the call."""
    checks: tuple[str, ...]
    """The checks of the test that names it; empty in a helper."""


def named_causes() -> Iterator[Named]:
    """Every cause that suites and judging name literally."""
    for folder in ("suites", "judging"):
        for file in sorted((REPOSITORY / folder).rglob("*.py")):
            yield from _named_in(file)


def _named_in(file: Path) -> Iterator[Named]:
    for statement in ast.parse(file.read_text(encoding="utf-8")).body:
        checks = tuple(_checks_of(statement))
        for node in ast.walk(statement):
            if isinstance(node, ast.Call):
                for cause in _literals(_cause_argument(node)):
                    words = frozenset(word.arg or "" for word in node.keywords)
                    yield Named(f"{file.name}:{node.lineno}", cause, words, checks)


def _checks_of(statement: ast.stmt) -> Iterator[str]:
    for decorator in getattr(statement, "decorator_list", ()):
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.check":
            yield from _literals(decorator.args[0])


def _cause_argument(call: ast.Call) -> ast.expr | None:
    position = ORDER.get(ast.unparse(call.func), len(call.args))
    given = next((word.value for word in call.keywords if word.arg == "cause"), None)
    return given or (call.args[position] if position < len(call.args) else None)


def _literals(node: ast.expr | None) -> Iterator[str]:
    match node:
        case ast.Constant(value=str() as text):
            yield text
        case ast.IfExp():
            yield from _literals(node.body)
            yield from _literals(node.orelse)


def check_ids() -> set[str]:
    """Every check of the suites, those of preflight's groups of rules included."""
    from preflight.rules import MODULES

    found = {f"preflight.{module.__name__.rpartition('.')[2]}" for module in MODULES}
    for file in (REPOSITORY / "suites").rglob("test_*.py"):
        for statement in ast.parse(file.read_text(encoding="utf-8")).body:
            found |= set(_checks_of(statement))
    return found

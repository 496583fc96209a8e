"""One fault file: what is broken where, and what the acceptance must say of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lab.errors import LabError

STEPS = ("run", "hardware", "restart", "reboot", "cloud")
KEYS = {"id", "title", "symptom", "sources", "inject", "mend", "expect", "allow", "healthy"}


@dataclass(frozen=True)
class Expected:
    """The check that must fail, and the cause that must be named."""

    check: str
    cause: str
    place: str | None = None
    """None: at any place."""


@dataclass(frozen=True)
class Fault:
    """A fault as its file has it."""

    id: str
    title: str
    symptom: str
    sources: tuple[str, ...]
    inject: tuple[dict[str, Any], ...]
    """Steps in their order: `{run: COMMAND, on: HOST, save: [FILES]}`, `{hardware: {…}, on: HOST}`,
    `{restart: SERVICE}`, `{reboot: HOST}`, `{cloud: {…}}`."""
    expect: tuple[Expected, ...]
    """Empty for a healthy variant: nothing may fail."""
    allow: tuple[str, ...] = ()
    """Checks that fail as well, by nature of the fault."""
    mend: tuple[dict[str, Any], ...] = field(default=())
    """Steps after which the lab is healthy again; files that `save` names come back by themselves."""

    @property
    def needs_provisioning(self) -> bool:
        """Whether the cloud must be provisioned with another cloud file."""
        return any("cloud" in step for step in self.inject)


def load(path: Path) -> Fault:
    """Read a fault file.

    Raises:
        LabError: it is no fault file; says what is wrong.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise LabError(f"{path}: {error}") from error
    problems = list(_problems(data))
    if problems:
        raise LabError(f"{path}: " + "; ".join(problems))
    return Fault(
        id=str(data["id"]),
        title=str(data["title"]),
        symptom=str(data["symptom"]),
        sources=tuple(data.get("sources", ())),
        inject=tuple(data.get("inject", ())),
        expect=tuple(Expected(**item) for item in data.get("expect", ())),
        allow=tuple(data.get("allow", ())),
        mend=tuple(data.get("mend", ())),
    )


def _problems(data: Any) -> Any:
    if not isinstance(data, dict):
        yield "not a mapping"
        return
    for key in ("id", "title", "symptom", "inject"):
        if not data.get(key):
            yield f"{key} is missing"
    for key in set(data) - KEYS:
        yield f"no such key: {key}"
    if not data.get("expect") and not data.get("healthy"):
        yield "neither expect nor healthy: true"
    for step in (*data.get("inject", ()), *data.get("mend", ())):
        if not isinstance(step, dict) or len(set(step) & set(STEPS)) != 1:
            yield f"a step has exactly one of {', '.join(STEPS)}: {step}"
    for item in data.get("expect", ()):
        if not isinstance(item, dict) or not {"check", "cause"} <= set(item) <= {"check", "cause", "place"}:
            yield f"expect has check, cause and perhaps place: {item}"


def catalogue() -> list[Path]:
    """The fault files that come with the lab."""
    return sorted((Path(__file__).parent / "catalogue").glob("*.yaml"))

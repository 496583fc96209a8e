"""Deviations: requirements that someone waives, with the reason; a blocker only by name and date, too."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from access.errors import InputError

EXAMPLE = "- {requirement: CUDA-3, reason: …, approved_by: NAME, date: 2026-11-25}"


class Deviation(BaseModel):
    """One waived requirement."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    requirement: str
    reason: str = Field(min_length=10)
    approved_by: str = ""
    date: datetime.date | None = None


def read(path: Path, blockers: dict[str, bool], run_date: datetime.date) -> tuple[Deviation, ...]:
    """A YAML list of deviations; `blockers` says of each requirement's id whether it is one.

    Raises:
        InputError: it cannot be used; every mistake is named.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        found = TypeAdapter(tuple[Deviation, ...]).validate_python(content)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path} cannot be read: {error}", remedy=f"a YAML list, e.g. {EXAMPLE}") from None
    except ValidationError as error:
        mistakes = [f"{'.'.join(map(str, each['loc'])) or 'file'}: {each['msg']}" for each in error.errors()]
        raise InputError(f"{path}: " + "; ".join(mistakes), remedy=f"a YAML list, e.g. {EXAMPLE}") from None
    mistakes = [*_mistakes(found, blockers, run_date)]
    if mistakes:
        raise InputError(f"{path}: " + "; ".join(mistakes), remedy=f"e.g. {EXAMPLE}")
    return found


def _mistakes(deviations: tuple[Deviation, ...], blockers: dict[str, bool], run_date: datetime.date) -> Iterable[str]:
    seen: set[str] = set()
    for each in deviations:
        if each.requirement not in blockers:
            yield f"there is no requirement {each.requirement}; known: {', '.join(blockers)}"
        if each.requirement in seen:
            yield f"{each.requirement} is given twice"
        seen.add(each.requirement)
        if blockers.get(each.requirement) and not (each.approved_by and each.date):
            yield f"{each.requirement} is a blocker: who waives it (approved_by), and when (date)?"
        if each.date is not None and each.date < run_date:
            yield f"{each.requirement} was waived on {each.date}, before the run of {run_date} showed it"

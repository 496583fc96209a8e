"""A run that looked at less than was declared is not green: what is missing becomes a record that says so."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from cloud_file.cloud import Cloud
from judging.records import CheckRecord, Verdict

CLOUD_FILE = "the cloud file"


SUITES = Path(__file__).resolve().parents[1] / "suites"


def selects_all(config: pytest.Config) -> bool:
    """Whether the whole of `suites/` was asked for: no folder or test of it, no -k, -m, --deselect or --ignore."""
    given = {Path(word.split("::")[0]).resolve() for word in config.args}
    return SUITES in given and not is_narrowed(config)


def is_narrowed(config: pytest.Config) -> bool:
    """Whether somebody asked for less than what stands in the folders that are given."""
    narrowed = ("keyword", "markexpr", "deselect", "ignore", "ignore_glob", "lf", "stepwise")
    return any(getattr(config.option, name, None) for name in narrowed)


def checking_functions() -> set[tuple[str, str]]:
    """File and name of every function of the suites that is a check, read from their source.

    Collected or not: an option or a plugin may keep pytest from looking at a file.
    """
    return {
        (str(file), statement.name)
        for file in SUITES.rglob("test_*.py")
        for statement in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(statement, ast.FunctionDef) and any(map(_is_check, statement.decorator_list))
    }


def _is_check(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.check"


def missing_records(
    cloud: Cloud, records: Sequence[CheckRecord], unfinished: Iterable[str], *, whole: bool
) -> list[CheckRecord]:
    """One record for each collected test that has no verdict, and in a `whole` run for each declared host and card."""
    lost = [
        _record(cloud, "run.finished", test, f"{test} was collected and has no result") for test in sorted(unfinished)
    ]
    if not whole:
        return lost
    return [
        *lost,
        *(
            _record(cloud, "run.covers_host", name, f"{name} is declared and nothing was checked there")
            for name in _declared_places(cloud)
            if name not in {record.place for record in records}
        ),
        *_unmeasured_cards(cloud, records),
    ]


def _declared_places(cloud: Cloud) -> list[str]:
    return [host.name for host in cloud.gpu_hosts] + [guest.name for guest in cloud.guests]


def _unmeasured_cards(cloud: Cloud, records: Sequence[CheckRecord]) -> Iterable[CheckRecord]:
    """Only where all else is well: a guest that failed needs no second word."""
    for guest in cloud.guests:
        here = [record for record in records if record.place == guest.name]
        declared = sum(gpu.count for gpu in cloud.gpus_of(guest.flavor))
        measured = {
            m.device for record in here for m in record.measurements if m.host == guest.name and m.device.isdigit()
        }
        if here and all(record.verdict is Verdict.PASSED for record in here) and len(measured) < declared:
            yield _record(
                cloud,
                "run.covers_cards",
                guest.name,
                f"{declared} cards are declared, figures are there of {len(measured)}",
            )


def _record(cloud: Cloud, check: str, place: str, message: str) -> CheckRecord:
    fact = "Everything that was declared was looked at."
    return CheckRecord(
        id=check,
        place=place,
        verdict=Verdict.NOT_VERIFIED,
        test=f"{check}[{place}]",
        fact=fact,
        message=message,
        source=CLOUD_FILE,
        simulated=cloud.kind == "lab",
        expected=fact,
        found=message,
    )

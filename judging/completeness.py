"""A run that looked at less than was declared is not green: what is missing becomes a record that says so."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from cloud_file.cloud import Cloud
from cloud_file.work_folder import REPOSITORY
from judging.coverage import ExcusedCards, coverage_of
from judging.records import CheckRecord, Verdict

CLOUD_FILE = "the cloud file"


SUITES = REPOSITORY / "suites"


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
        *_uncovered_hosts(cloud, records),
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


def _uncovered_hosts(cloud: Cloud, records: Sequence[CheckRecord]) -> Iterable[CheckRecord]:
    """Only where all else is well, as above: the cards that no declared instance got."""
    coverage = coverage_of(records, declared_cards(cloud), excused_cards(cloud))
    if not coverage.unexcused or any(record.verdict is not Verdict.PASSED for record in records):
        return
    for host in coverage.incomplete:
        measured = f" ({', '.join(host.measured)})" if host.measured else ""
        unseen = f"; nothing is known of {', '.join(host.seen)}" if host.seen else ""
        yield _record(
            cloud,
            "run.covers_cards",
            host.host,
            f"{host.declared} cards are declared, figures are there of {len(host.measured)}{measured}{unseen}\n"
            "  what to do: declare guests that take the others, or excused_cards with a reason in the cloud file",
        )


def declared_cards(cloud: Cloud) -> dict[str, int]:
    """Number of cards of each GPU host."""
    return {host.name: sum(gpu.count for gpu in host.gpus) for host in cloud.gpu_hosts}


def excused_cards(cloud: Cloud) -> tuple[ExcusedCards, ...]:
    """What the cloud file excuses."""
    return tuple(ExcusedCards(each.cards, each.reason, each.host or "") for each in cloud.excused_cards)


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

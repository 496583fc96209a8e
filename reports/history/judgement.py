"""The check `history.slower_than_past`: tonight's figures of each host beside the same cards' past."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from cloud_file.sections.history import SlowerThanPast
from judging.causes import fix_of
from judging.records import CheckRecord, Verdict
from reports.history.database import Database
from reports.history.loading import figures_of
from reports.history.nights import Series, SeriesKey, key_of, runs_of, series_of
from reports.history.own_past import LEAST_NIGHTS, AgainstPast, against_past
from reports.history.tables import CHECKS, RUNS
from reports.history.trend import confidence_words
from reports.run import Run

CHECK = "history.slower_than_past"
CAUSE = "slower_than_past"
FACT = "Every card is as fast as in its own past."
SOURCE = "this cloud's history, by the section history of the cloud file"
SHOWN = 10


@dataclass(frozen=True)
class Compared:
    """One figure of tonight beside its past."""

    key: SeriesKey
    host: str
    device: str
    unit: str
    direction: str
    found: AgainstPast

    @property
    def words(self) -> str:
        """By how much and how sure."""
        card = f"{self.key.card} ({self.host} card {self.device})" if self.key.card else f"card {self.device}"
        found = self.found
        return (
            f"{self.key.metric} of {card}: {found.tonight:.4g} {self.unit}, in {found.nights} nights before "
            f"{found.usual:.4g}: {abs(1 - found.ratio) * 100:.1f} % {'slower' if found.ratio < 1 else 'faster'}, "
            f"{confidence_words(found.confidence)}"
        )


def judged(database: Database, run: Run, limits: SlowerThanPast) -> list[CheckRecord]:
    """One record for each host whose cards have a past; none where they have none yet."""
    compared = _compared(database, run, limits)
    hosts = sorted({item.host for item in compared})
    return [_record(run, host, [item for item in compared if item.host == host], limits) for host in hosts]


def _compared(database: Database, run: Run, limits: SlowerThanPast) -> list[Compared]:
    past = {series.key: series for series in _past(database, run, limits)}
    figures = figures_of(run)
    comparisons = len(figures) * limits.nights
    found = []
    for figure in figures:
        key = key_of(figure["metric"], figure["card"], figure["host"], figure["device"])
        values = past[key].values[-limits.nights :] if key in past else []
        answer = against_past(values, figure["median"], figure["direction"], comparisons)
        if answer is not None:
            found.append(Compared(key, figure["host"], figure["device"], figure["unit"], figure["direction"], answer))
    return found


def _past(database: Database, run: Run, limits: SlowerThanPast) -> list[Series]:
    """What is too slow never becomes what is usual: hosts' nights in which this very check failed are left out."""
    refused = _refused(database, run.header.cloud)
    dates = sorted({kept.started[:10] for kept in runs_of(database, run.header.cloud)})
    # twice the nights asked for, as not every run measures every card; all where a card may have been slow for long
    earliest = "" if refused or not dates else dates[-2 * limits.nights :][0]
    since = max(earliest, limits.since.isoformat() if limits.since else "")
    return series_of(database, run.header.cloud, since=since, before=run.header.started, without=refused)


def _refused(database: Database, cloud: str) -> set[tuple[str, str]]:
    query = select(CHECKS.c.run_id, CHECKS.c.place).join(RUNS, RUNS.c.id == CHECKS.c.run_id)
    query = query.where(RUNS.c.cloud == cloud, CHECKS.c.check_id == CHECK, CHECKS.c.verdict == Verdict.FAILED.value)
    with database.reading() as connection:
        return {(run_id, place) for run_id, place in connection.execute(query)}


def _record(run: Run, host: str, compared: Sequence[Compared], limits: SlowerThanPast) -> CheckRecord:
    slower = [item for item in compared if item.found.is_slower(limits.fail_below_ratio, limits.confidence)]
    slower.sort(key=lambda item: item.found.ratio)
    slowest = min(compared, key=lambda item: item.found.ratio)
    text = "; ".join(item.words for item in slower[:SHOWN])
    more = f"; and {len(slower) - SHOWN} more" if len(slower) > SHOWN else ""
    return CheckRecord(
        id=CHECK,
        place=host,
        verdict=Verdict.FAILED if slower else Verdict.PASSED,
        test=f"{CHECK}[{host}]",
        fact=FACT,
        message=text + more,
        cause=CAUSE if slower else "",
        fix=_fix(slower) if slower else "",
        source=SOURCE,
        rests_on=("cuda.bandwidth", "cuda.p2p", "host.gpu.link_width"),
        expected=f"at least {limits.fail_below_ratio:g} of the median of up to {limits.nights} nights before",
        found=text + more if slower else f"{len(compared)} figures compared; the slowest: {slowest.words}",
        started=run.header.started,
        simulated=run.header.simulated,
    )


def _fix(slower: Iterable[Compared]) -> str:
    cards = sorted({item.key.card or f"card {item.device}" for item in slower})
    return fix_of(CAUSE, cards=", ".join(cards[:3]))


def nights_missing(database: Database, run: Run, limits: SlowerThanPast) -> int:
    """How many nights the longest past lacks before figures can be compared."""
    past = [len(series.nights) for series in _past(database, run, limits)]
    return max(0, LEAST_NIGHTS - max(past, default=0))

"""Accepted is a cloud whose declared cards were all measured: of every host, by their places where these are known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cloud_file.cloud import Cloud
from cloud_file.loading import load
from judging.completeness import missing_records
from judging.coverage import Coverage, ExcusedCards, coverage_of
from judging.outcome import Outcome, outcome_of
from judging.records import CheckRecord, Measurement, Verdict
from probes.card_identity import CardIdentity

DECLARED = {f"compute-{number}": 8 for number in range(12)}


def figure(instance: str, device: int) -> Measurement:
    """One copy of one card."""
    return Measurement("bandwidth.h2d", 12.0, "GB/s", instance, str(device), 1)


def measured(instance: str, *cards: CardIdentity) -> CheckRecord:
    """A record with a figure of each card."""
    figures = tuple(figure(instance, number) for number in range(len(cards)))
    return CheckRecord("cuda.bandwidth", instance, Verdict.PASSED, "t", "f", measurements=figures, cards=cards)


def card(host: str, number: int, instance: str, device: int) -> CardIdentity:
    """Card `number` of a host, in an instance."""
    return CardIdentity(host, f"0000:{number + 4:02x}:00.0", instance=instance, device=str(device))


def whole(instance: str, host: str, numbers: range) -> CheckRecord:
    """An instance that has some cards of one host."""
    return measured(instance, *(card(host, number, instance, device) for device, number in enumerate(numbers)))


def unplaced(record: CheckRecord) -> CheckRecord:
    """The same where the cards' places could not be seen."""
    return replace(record, cards=tuple(replace(each, host="", host_address="") for each in record.cards))


EVERY = [whole(f"g{number}", f"compute-{number}", range(8)) for number in range(12)]


@pytest.mark.parametrize(
    ("records", "missing"),
    [
        ([], 96),
        ([whole("one", "compute-3", range(1))], 95),
        (EVERY, 0),
        (EVERY[:-1], 8),
        ([*EVERY[:-1], whole("last", "compute-11", range(7))], 1),
        # the same card twice is one card, whoever had it
        ([whole("one", "compute-3", range(1)), whole("two", "compute-3", range(1))], 95),
        # a host that has more than declared does not stand for another one
        ([*EVERY[:-1], whole("more", "compute-0", range(8, 16))], 8),
        # a host that nobody declared stands for none
        ([whole("one", "compute-99", range(1))], 95),
        ([unplaced(record) for record in EVERY], 0),
        ([unplaced(record) for record in EVERY[:-1]], 8),
        ([unplaced(EVERY[0]), *EVERY[1:]], 0),
        # pairs are no cards
        ([replace(EVERY[0], measurements=(replace(figure("g0", 0), device="0-1"),))], 96),
        # looked at, and not measured
        ([replace(EVERY[0], measurements=())], 96),
    ],
    ids=str,
)
def test_a_card_without_a_figure_is_missing(records: list[CheckRecord], missing: int) -> None:
    """Wherever the figures come from."""
    coverage = coverage_of(records, DECLARED)

    assert (coverage.missing, coverage.unexcused, coverage.measured) == (missing, missing, 96 - missing)
    assert bool(coverage.incomplete) == bool(missing)


def excused(*excuses: ExcusedCards) -> Coverage:
    """Two cards of compute-10 and eight of compute-11 are missing."""
    return coverage_of([*EVERY[:10], whole("g10", "compute-10", range(6))], DECLARED, excuses)


@pytest.mark.parametrize(
    ("excuses", "left"),
    [
        ([], 10),
        ([ExcusedCards(3, "spare")], 7),
        ([ExcusedCards(10, "spare")], 0),
        ([ExcusedCards(96, "spare")], 0),
        ([ExcusedCards(8, "in repair", "compute-11")], 2),
        ([ExcusedCards(8, "in repair", "compute-3")], 10),
        ([ExcusedCards(8, "in repair", "compute-10")], 8),
        ([ExcusedCards(8, "in repair", "compute-11"), ExcusedCards(1, "spare")], 1),
        ([ExcusedCards(8, "in repair", "compute-11"), ExcusedCards(2, "spare")], 0),
    ],
    ids=str,
)
def test_an_excuse_goes_as_far_as_it_says(excuses: list[ExcusedCards], left: int) -> None:
    """So many cards, of that host where it names one; what is excused stays unmeasured."""
    coverage = excused(*excuses)

    assert (coverage.missing, coverage.unexcused) == (10, left)


def test_a_host_names_its_cards_without_figures() -> None:
    """As far as another check saw them."""
    seen = CheckRecord(
        "host.gpu.present",
        "compute-0",
        Verdict.PASSED,
        "t",
        "f",
        cards=tuple(CardIdentity("compute-0", f"0000:{number + 4:02x}:00.0") for number in range(2)),
    )
    (host,) = coverage_of([seen, whole("one", "compute-0", range(1))], {"compute-0": 2}).incomplete

    assert (host.measured, host.seen) == (("0000:04:00.0",), ("0000:05:00.0",))


def passed_run(cloud: Cloud) -> list[CheckRecord]:
    """A run of the embedded lab in which all is well: one card of compute-0, both of compute-1."""
    places = [host.name for host in cloud.gpu_hosts]
    records = [CheckRecord("host.gpu.present", place, Verdict.PASSED, "t", "f") for place in places]
    records += [whole("one-card", "compute-0", range(1)), whole("all-cards", "compute-1", range(2))]
    return records


def test_an_unmeasured_card_of_a_host_is_not_verified() -> None:
    """Every instance was measured, and yet not every card: the run says where, and is not accepted."""
    cloud = load("lab").model_copy(update={"excused_cards": ()})
    records = passed_run(cloud)

    (missing,) = missing_records(cloud, records, (), whole=True)

    assert (missing.id, missing.place, missing.verdict) == ("run.covers_cards", "compute-0", Verdict.NOT_VERIFIED)
    assert "2 cards are declared, figures are there of 1 (0000:04:00.0)" in missing.message
    assert "excused_cards" in missing.message
    assert outcome_of([*records, missing]) is Outcome.COULD_NOT_JUDGE


def test_an_excused_card_is_no_gap() -> None:
    """The lab's own file keeps one card free, and says why."""
    cloud = load("lab")

    assert missing_records(cloud, passed_run(cloud), (), whole=True) == []
    assert missing_records(cloud, passed_run(cloud), (), whole=False) == []

"""The odd one out of N equal cards: found surely, and nobody where cards only differ as cards do."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from judging.fleet import FleetCard, odd_ones, other_firmware, other_results


def _fleet(values: Sequence[float], name: str = "compute") -> list[FleetCard]:
    return [FleetCard(f"vm{n}", 0, ("H200", "692"), "580", figures={name: value}) for n, value in enumerate(values)]


@pytest.mark.parametrize(
    ("values", "odd"),
    [
        ([9100, 9110, 9090, 6000], [3]),
        ([9100] * 7 + [8300], [7]),
        ([9100] * 95 + [8300], [95]),
        ([9100, 9000, 9200, 9150, 9080, 9120, 9110, 5000], [7]),
        ([9100] * 3 + [5000] * 2 + [9120] * 3, [3, 4]),
        ([9100, 9110, 6000], []),
        ([9100, 9100, 5000, 5000], []),
        ([9100] * 7 + [8900], []),
        ([9100] * 7 + [12000], []),
        ([8000, 9500, 9000, 8500, 10000, 9200, 8800, 7900], []),
    ],
    ids=["of 4", "of 8", "of 96", "noisy", "two of 8", "of 3", "half", "2 %", "a better one", "all differ"],
)
def test_a_card_is_odd_when_all_others_agree(values: list[float], odd: list[int]) -> None:
    assert [found.card.machine for found in odd_ones(_fleet(values))] == [f"vm{n}" for n in odd]


def test_less_is_better_of_heat() -> None:
    assert [odd.value for odd in odd_ones(_fleet([62, 63, 61, 83], "temperature"))] == [83]
    assert odd_ones(_fleet([62, 63, 61, 40], "temperature")) == []
    assert odd_ones(_fleet([62, 66, 70, 74, 62, 66, 70, 74], "temperature")) == [], "a row behind a row of fans"


@pytest.mark.parametrize("cards", [4, 8, 16, 96])
@pytest.mark.parametrize("spread", [0.005, 0.02])
def test_healthy_fleets_have_no_odd_one(cards: int, spread: float) -> None:
    source = random.Random(20_261_130)  # noqa: S311  noise, no secret
    fleets = [_fleet([source.gauss(9100, 9100 * spread) for _ in range(cards)]) for _ in range(100)]

    assert sum(bool(odd_ones(fleet)) for fleet in fleets) <= 1


def test_cards_of_other_models_are_no_siblings() -> None:
    others = [FleetCard(f"t4-{n}", 0, ("T4", ""), "580", figures={"compute": 4000.0}) for n in range(4)]

    assert odd_ones(_fleet([9100.0] * 4) + others) == []


def _digests(digests: Sequence[str], drivers: Sequence[str] = ()) -> list[FleetCard]:
    given = drivers or ["580"] * len(digests)
    return [
        FleetCard(f"vm{n}", 0, ("H200", ""), driver, digest=digest)
        for n, (digest, driver) in enumerate(zip(digests, given, strict=True))
    ]


def test_another_digest_is_a_finding_of_the_card_that_has_it() -> None:
    cards = _digests(["aa", "aa", "bb"])

    assert [other_results(cards, f"vm{n}") != [] for n in range(3)] == [False, False, True]


def test_where_nobody_has_most_all_are_told() -> None:
    assert [len(other_results(_digests(["aa", "bb"]), f"vm{n}")) for n in range(2)] == [1, 1]


def test_drivers_may_compile_otherwise() -> None:
    cards = _digests(["aa", "aa", "bb"], ["580", "580", "570"])

    assert [other_results(cards, f"vm{n}") for n in range(3)] == [[], [], []]


def _boards(versions: Sequence[str]) -> list[FleetCard]:
    return [
        FleetCard(f"vm{n}", 0, ("H200", "692"), "580", firmware={"VBIOS": version})
        for n, version in enumerate(versions)
    ]


@pytest.mark.parametrize(
    ("versions", "odd"),
    [(["1"] * 4, []), (["1", "1", "1", "2"], [3]), (["1", "1", "2", "2"], []), (["1", "2"], [])],
    ids=["equal", "one of four", "half", "two cards"],
)
def test_other_firmware_than_most_siblings(versions: list[str], odd: list[int]) -> None:
    cards = _boards(versions)

    assert [n for n in range(len(versions)) if other_firmware(cards, f"vm{n}")] == odd

"""Leases of cards: whoever has one finds its cards, wherever Nova puts those of the others."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioning.scenario.card_pool import CardPool, Need, everything, move, nothing, one, some, together

TWO_BY_TWO = {"compute-0": 2, "compute-1": 2}
CLOUDS = (TWO_BY_TWO, {"a": 4, "b": 4}, {"a": 1, "b": 2, "c": 3}, {"a": 2}, {"a": 1, "b": 1, "c": 1}, {"a": 0, "b": 3})
KINDS = {
    "one": (one, (1,)),
    "some": (some, (2, 3)),
    "together": (together, (1, 2)),
    "move": (move, (1, 2)),
}
WANTS = [(kind, count) for kind, (_, counts) in KINDS.items() for count in counts]


def need_of(free: dict[str, int], kind: str, count: int) -> Need:
    return one(free) if kind == "one" else KINDS[kind][0](free, count)


def placements(free: dict[str, int], kind: str, count: int) -> Iterator[dict[str, int]]:
    """Every way in which the cards of a lease may lie at some time, its largest ones."""
    hosts = list(free)
    if kind in ("one", "some"):
        for places in itertools.combinations_with_replacement(hosts, count):
            yield {host: places.count(host) for host in hosts}
    elif kind == "together":
        yield from ({host: count} for host in hosts)
    else:
        yield from ({first: count, second: count} for first, second in itertools.permutations(hosts, 2))


def finds(free: dict[str, int], kind: str, count: int) -> bool:
    if kind in ("one", "some"):
        return sum(free.values()) >= count
    roomy = sum(cards >= count for cards in free.values())
    return roomy >= (1 if kind == "together" else 2)


@pytest.mark.parametrize("free", CLOUDS, ids=str)
@pytest.mark.parametrize("mine", WANTS, ids=str)
def test_a_lease_finds_its_cards_wherever_those_of_two_others_lie(free: dict[str, int], mine: tuple[str, int]) -> None:
    for others in itertools.combinations_with_replacement(WANTS, 2):
        if not need_of(free, *mine).is_met_beside([need_of(free, *other) for other in others]):
            continue
        for first, second in itertools.product(placements(free, *others[0]), placements(free, *others[1])):
            left = {host: cards - first.get(host, 0) - second.get(host, 0) for host, cards in free.items()}
            if min(left.values()) >= 0:
                assert finds(left, *mine), (others, first, second)


@pytest.mark.parametrize("free", CLOUDS, ids=str)
@pytest.mark.parametrize("mine", WANTS, ids=str)
def test_a_cloud_that_has_the_cards_gives_them_to_one_alone(free: dict[str, int], mine: tuple[str, int]) -> None:
    assert need_of(free, *mine).is_met_beside([]) == finds(free, *mine)


def test_two_moves_of_one_card_go_on_side_by_side() -> None:
    """Each has one card on either host: two hosts with two cards are enough."""
    need = move(TWO_BY_TWO, 1)

    assert need.is_met_beside([need])
    assert not need.is_met_beside([need, need])
    assert not need.is_met_beside([together(TWO_BY_TWO, 2)])
    assert not need.is_met_beside([everything(TWO_BY_TWO)])


def test_who_has_the_cloud_alone_waits_for_those_without_cards_and_they_for_it() -> None:
    bare = nothing(TWO_BY_TWO)

    assert bare.is_met_beside([bare, move(TWO_BY_TWO, 1), some(TWO_BY_TWO, 2)])
    assert not everything(TWO_BY_TWO).is_met_beside([bare])
    assert all(need.is_met_beside([bare]) for need in (one(TWO_BY_TWO), move(TWO_BY_TWO, 2), bare))


def test_leases_wait_their_turn_and_are_given_back(tmp_path: Path) -> None:
    pool = CardPool(tmp_path / "cards.json")
    pool.lease("first", move(TWO_BY_TWO, 1))
    pool.lease("second", move(TWO_BY_TWO, 1))

    assert pool.live_tokens() == {"first", "second"}
    assert not pool._try("third", one(TWO_BY_TWO))
    pool.give_back("first")
    pool.lease("third", one(TWO_BY_TWO))
    assert pool.live_tokens() == {"second", "third"}

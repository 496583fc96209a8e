"""Levels by name, or as a duration of the user's own."""

from __future__ import annotations

import pytest

from access.errors import InputError
from judging.levels import level_of, levels


def test_a_longer_level_does_no_less() -> None:
    for shorter, longer in zip(levels(), levels()[1:], strict=False):
        assert shorter.load_s < longer.load_s
        assert shorter.copies_s <= longer.copies_s
        assert shorter.dcgm <= longer.dcgm


@pytest.mark.parametrize(
    ("text", "seconds", "dcgm"), [("60s", 60, 1), ("1m", 60, 1), ("5m", 300, 1), ("90m", 5400, 2), ("2d", 172800, 3)]
)
def test_a_duration_takes_what_the_longest_level_within_it_does(text: str, seconds: int, dcgm: int) -> None:
    level = level_of(text)

    assert (level.name, level.seconds, level.dcgm) == (text, seconds, dcgm)
    assert level.load_s > level.copies_s > 0


@pytest.mark.parametrize("text", ["", "fast", "59s", "31d", "-5m", "1.5h", "90", "5 m", "١٢m", "9999999999d"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="quick, standard, extended"):
        level_of(text)


@pytest.mark.parametrize("name", ["quick", "standard", "extended", "1m"])
@pytest.mark.parametrize("burns", [True, False])
def test_the_shares_are_the_load(name: str, burns: bool) -> None:
    level = level_of(name)
    own, burn = level.shares(burns=burns)

    assert own + burn == level.load_s
    assert own >= min(60, level.load_s)
    assert (burn > 0) == (burns and level.load_s > 60)

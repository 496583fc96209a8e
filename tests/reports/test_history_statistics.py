"""The statistics of nightly figures: sure where something changed, silent where nothing did."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from judging.robust import resolution_of, scale_of, t_tail
from reports.history.change_points import change_points, is_still
from reports.history.own_past import LEAST_NIGHTS, against_past
from reports.history.trend import FALSE_ALARMS

NIGHTS = 60
SERIES = 200
LIMITS = {"fail_below_ratio": 0.95, "confidence": 0.99}
COMPARISONS = 14
Random = np.random.Generator


def _autocorrelated(random: Random, size: int) -> np.ndarray:
    noise = random.normal(size=size)
    for night in range(1, size):
        noise[night] += 0.4 * noise[night - 1]
    return noise


NOISES: dict[str, Callable[[Random, int], np.ndarray]] = {
    "normal": lambda random, size: random.normal(size=size),
    "uniform": lambda random, size: random.uniform(-1.7, 1.7, size=size),
    "heavy tails": lambda random, size: random.laplace(size=size) / 1.41,
    "each night like the last": _autocorrelated,
}


# t tables, e.g. NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2: one-sided
@pytest.mark.parametrize(
    ("t", "freedom", "expected"),
    [(6.314, 1, 0.05), (63.657, 1, 0.005), (2.015, 5, 0.05), (5.893, 5, 0.001), (1.812, 10, 0.05), (4.144, 10, 0.001)],
)
def test_students_t_is_that_of_the_tables(t, freedom, expected):
    """The tail's probability agrees with published tables to their last digit."""
    assert t_tail(t, freedom) == pytest.approx(expected, rel=2e-3)


def test_scale_is_the_standard_deviation_of_normal_noise_and_ignores_odd_nights():
    """One figure in ten that is far off changes the scale by less than a fifth."""
    noise = np.random.default_rng(1).normal(scale=2.0, size=5000)

    clean, spoilt = scale_of(noise, 0.0), scale_of(np.where(np.arange(5000) % 10 == 0, 500.0, noise), 0.0)

    assert clean == pytest.approx(2.0, rel=0.05)
    assert spoilt == pytest.approx(clean, rel=0.2)


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1.4, 1.5], 0.1), ([10.22, 10.2], 0.01), ([11.889899999999999], 0.0001), ([3.0, 4.0], 1.0)],
)
def test_resolution_is_the_last_decimal_printed(values, expected):
    """Binary fractions are no decimals."""
    assert resolution_of(values) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "noise"), [("normal", 0.03), ("each night like the last", 0.005), ("heavy tails", 0.03)]
)
def test_no_change_is_found_in_stationary_noise(name, noise):
    """200 series of 60 nights as one cloud: at most one in a hundred such looks may be wrong, so here none is."""
    random = np.random.default_rng(7)

    found = [
        change_points(12 * (1 + noise * NOISES[name](random, NIGHTS)), confidence=1 - FALSE_ALARMS / SERIES)
        for _ in range(SERIES)
    ]

    assert sum(map(bool, found)) == 0


@pytest.mark.parametrize(
    ("name", "noise", "allowed"),
    [
        ("normal", 0.01, 0),
        ("normal", 0.02, 1),
        ("uniform", 0.03, 0),
        ("each night like the last", 0.02, 1),
        ("heavy tails", 0.003, 0),
        ("heavy tails", 0.01, 5),
    ],
)
def test_stationary_noise_is_hardly_ever_slower_than_its_own_past(name, noise, allowed):
    """200 series of 60 nights, 10,600 judgements at the default limits."""
    random = np.random.default_rng(11)
    alarms = 0
    for _ in range(SERIES):
        values = list(12 * (1 + noise * NOISES[name](random, NIGHTS)))
        for night in range(LEAST_NIGHTS, NIGHTS):
            found = against_past(values[max(0, night - 14) : night], values[night], "higher", COMPARISONS)
            alarms += found is not None and found.is_slower(**LIMITS)

    assert alarms <= allowed


@pytest.mark.parametrize("slope", [0.005, 0.01, 0.03])
def test_a_slow_decline_is_dated_to_its_first_night(slope):
    """30 nights, from the 20th on a little less each night: found in each of 40 tries, at most two nights off."""
    random = np.random.default_rng(3)
    decline = 1 - slope * np.maximum(0, np.arange(30) - 18)

    found = [
        change_points(11.9 * decline * (1 + 0.003 * random.normal(size=30)), confidence=1 - FALSE_ALARMS / 20)
        for _ in range(40)
    ]

    assert all(changes and abs(changes[0].index - 19) <= 2 for changes in found)
    assert all(changes[0].ratio < 1 and changes[0].nights > 5 for changes in found)


def test_a_step_is_a_step_with_its_size():
    """The level before and after, at the night of the change, as one step."""
    random = np.random.default_rng(5)
    values = np.where(np.arange(40) < 25, 12.0, 11.4) * (1 + 0.003 * random.normal(size=40))

    (change,) = change_points(values)

    assert (change.index, change.nights) == (25, 1)
    assert change.ratio == pytest.approx(0.95, abs=0.003)
    assert change.confidence > 0.9999


def test_two_changes_are_two():
    """Slower at one night, repaired at another."""
    random = np.random.default_rng(6)
    levels = np.array([12.0] * 20 + [10.0] * 16 + [12.0] * 20)

    found = change_points(levels * (1 + 0.004 * random.normal(size=56)))

    assert [change.index for change in found] == [20, 36]


def test_a_single_odd_night_is_no_change():
    """Nor are two."""
    values = np.full(30, 12.0) + np.tile([0.01, -0.01, 0.02], 10)
    values[[12, 25]] = 6.0

    assert change_points(values) == []


def test_rounding_is_no_change_and_no_slowness():
    """A tool that prints 1.4 and, one night, 1.5 has shown nothing but its rounding."""
    assert change_points([1.4] * 15 + [1.5] * 15) == []
    assert against_past([1.4] * 14, 1.5, "lower", 1).confidence == 0


@pytest.mark.parametrize(("direction", "tonight"), [("higher", 10.8), ("lower", 13.2)])
def test_a_slow_night_is_slower_than_its_past(direction, tonight):
    """By how much and how sure, whichever direction is worse."""
    past = list(12 * (1 + 0.003 * np.random.default_rng(8).normal(size=14)))

    found = against_past(past, tonight, direction, comparisons=12 * 14)

    assert found.is_slower(**LIMITS)
    assert found.ratio == pytest.approx(0.9 if direction == "higher" else 1 / 1.1, abs=0.005)


def test_faster_is_never_slower():
    """Nor is what is a little slower, however sure."""
    past = list(12 * (1 + 0.001 * np.random.default_rng(9).normal(size=14)))

    assert not against_past(past, 14.0, "higher", 1).is_slower(**LIMITS)
    assert not against_past(past, 11.6, "higher", 1).is_slower(**LIMITS)


def test_too_short_a_past_says_nothing():
    """Six nights do not show how noisy a card is."""
    assert against_past([12.0] * (LEAST_NIGHTS - 1), 6.0, "higher", 1) is None


LONG_NIGHTS = 200


def _long(random: Random, noise: np.ndarray) -> np.ndarray:
    """A course of 200 nights with a step, a ramp, a spell that ended, or nothing, of some size."""
    night, kind = np.arange(LONG_NIGHTS), random.integers(4)
    begin, nights, size = int(random.integers(10, 185)), int(random.integers(2, 60)), random.choice([0.01, 0.02, 0.1])
    shape = {
        0: np.zeros(LONG_NIGHTS),
        1: (night >= begin).astype(float),
        2: np.clip((night - begin + 1) / nights, 0, 1),
        3: ((night >= begin) & (night < begin + nights)).astype(float),
    }[int(kind)]
    return np.round(12 * (1 - size * shape) * (1 + 0.003 * noise), 3)


@pytest.mark.parametrize("name", NOISES)
def test_a_long_series_is_judged_as_if_it_were_searched_everywhere(name, monkeypatch):
    """What is looked over first, and searched in a grid, has the same changes in the same nights."""
    random = np.random.default_rng(17)
    courses = [_long(random, NOISES[name](random, LONG_NIGHTS)) for _ in range(12)]
    confidence = 1 - FALSE_ALARMS / SERIES

    found = [change_points(course, confidence=confidence) for course in courses]
    monkeypatch.setattr("reports.history.change_points.LONG", LONG_NIGHTS + 1)
    everywhere = [change_points(course, confidence=confidence) for course in courses]

    assert [len(each) for each in found] == [len(each) for each in everywhere]
    assert sum(map(len, found)) > 3
    for one, other in zip(found, everywhere, strict=True):
        assert [each.index for each in one] == pytest.approx([each.index for each in other], abs=3)
        assert [each.after for each in one] == pytest.approx([each.after for each in other], rel=2e-3)


@pytest.mark.parametrize("name", NOISES)
def test_a_still_year_is_told_in_a_moment(name):
    """Of a thousand hosts' series nearly none is searched: searching all of them takes hours."""
    random = np.random.default_rng(19)

    still = [is_still(12 * (1 + 0.004 * NOISES[name](random, 365)), 0.001) for _ in range(300)]

    assert np.mean(still) > 0.9


@pytest.mark.parametrize("nights", [100, 365])
@pytest.mark.parametrize("name", NOISES)
def test_no_clear_change_is_overlooked(name, nights):
    """Also one that begins late, ended again, or makes nearly all nights resemble each other."""
    random = np.random.default_rng(23)
    night = np.arange(nights)
    shapes = {
        "half": night >= nights // 2,
        "late": night >= nights - 6,
        "early": night >= 6,
        "spell": (night >= 30) & (night < 45),
        "slow": np.clip((night - 10) / (nights - 20), 0, 1),
    }
    for shape, changed in shapes.items():
        for size in (0.02, 0.05, 0.5):
            course = 12 * (1 - size * changed) * (1 + 0.003 * NOISES[name](random, nights))
            assert not is_still(course, 0.001), (shape, size)

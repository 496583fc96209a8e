"""Copies of cards: what is slow, what is not, and why. Data in, judgement out."""

from __future__ import annotations

import pytest
from example_cards import GOOD, card, loaded
from hypothesis import given
from hypothesis import strategies as st

from access.errors import MeasurementError
from judging.causes import fix_of
from judging.copies import (
    CAUSES,
    MeasuredCard,
    findings,
    is_to_be_repeated,
    refuse_impossible,
    repeated,
    spread_percent,
    unknown_bands,
    worst_of,
)
from probes.references import GpuModel, gpu_models
from probes.references.bands import Band, band

A30, T4 = gpu_models()["A30"], gpu_models()["T4"]
BELOW = st.floats(2.0, 10.1)
"""H2D below the minimum of a P100 on bare metal, 10.2."""


def bare(model: GpuModel, metric: str) -> Band:
    return band(model, metric, virtualised=False)


def causes(*cards: MeasuredCard) -> list[str]:
    return [finding.cause for finding in findings(cards, bare)]


def test_equal_cards_in_good_order() -> None:
    assert causes(card(0), card(1)) == []


def test_one_noisy_sample_fails_no_card() -> None:
    for direction, values in GOOD.items():
        for position in range(3):
            noisy = list(values)
            noisy[position] *= 0.3
            assert causes(card(0, **{direction: noisy}), card(1)) == []


@given(slow=st.tuples(BELOW, BELOW), third=st.one_of(BELOW, st.floats(11.0, 12.5)), order=st.permutations(range(3)))
def test_a_slow_card_always_fails(slow: tuple[float, float], third: float, order: list[int]) -> None:
    """Also when one of its runs happens to be good."""
    runs = [*slow, third]

    assert causes(card(0, h2d=[runs[position] for position in order])) != []


@given(shares=st.lists(st.floats(0.93, 1.0), min_size=3, max_size=3), direction=st.sampled_from(sorted(GOOD)))
def test_a_good_card_never_fails(shares: list[float], direction: str) -> None:
    runs = [value * share for value, share in zip(GOOD[direction], shares, strict=True)]

    assert causes(card(0, **{direction: runs}), card(1)) == []


def test_lost_lanes() -> None:
    slow = card(0, h2d=(6.1, 6.1, 6.0), d2h=(6.5, 6.4, 6.5), seen=loaded((3, 8)))
    found = findings([slow, card(1)], bare)

    assert [finding.cause for finding in found] == ["link-trained-narrow"] * 2
    assert "device 0 h2d: 6.1, 6.1, 6.0 GB/s (spread 2 %)" in found[0].what
    assert "generation 3 x8" in found[0].what
    assert "riser" in fix_of(found[0].cause)


def test_a_low_generation_under_load() -> None:
    slow = card(0, h2d=(5.8, 5.8, 5.8), seen=loaded((2, 16)))

    assert causes(slow, card(1)) == ["link-low-generation-under-load"]


def test_an_idle_link_at_generation_1_is_no_fault() -> None:
    """A link that shows itself low although copies are fast was read idle."""
    assert causes(card(0, seen=loaded((1, 16))), card(1, seen=loaded((1, 16)))) == []


def test_a_throttled_card() -> None:
    slow = card(0, d2d=(240.0, 238.0, 241.0), seen=loaded(reasons=("HW Thermal Slowdown",)))
    found = findings([slow, card(1)], bare)

    assert [finding.cause for finding in found] == ["throttling"]
    assert "HW Thermal Slowdown" in found[0].what


def test_slow_memory() -> None:
    assert causes(card(0, d2d=(240.0, 238.0, 241.0))) == ["slow-memory"]


def test_a_card_of_the_other_socket() -> None:
    """Above its minimum, over a full link, and yet a quarter slower than its equal: not noise, and named."""
    far = card(1, h2d=(10.3, 10.4, 10.3), d2h=(11.3, 11.3, 11.4))
    near = card(0, h2d=(13.2, 13.2, 13.1), d2h=(14.2, 14.2, 14.2))
    found = findings([near, far], bare)

    assert {finding.cause for finding in found} == {"wrong-socket"}
    assert all("device 1" in finding.what and "the equal card 0 has" in finding.what for finding in found)


def test_cards_of_different_models_are_not_compared() -> None:
    assert causes(card(0), card(1, model=T4, h2d=(10.4, 10.4, 10.4), d2h=(11.0,) * 3, d2d=(239.0,) * 3)) == []


def test_all_cards_equally_slow_over_good_links() -> None:
    slow = {"h2d": (6.0, 6.0, 6.0)}

    assert causes(card(0, **slow), card(1, **slow)) == ["slow-link"] * 2


def test_a_link_that_could_not_be_read_gives_no_cause_of_its_own() -> None:
    slow = card(0, h2d=(6.0, 6.0, 6.0), seen=None)

    assert causes(slow) == ["slow-link"]


def test_the_most_telling_cause_comes_first() -> None:
    slow = card(0, h2d=(6.0,) * 3, d2d=(200.0,) * 3, seen=loaded((3, 8)))

    assert causes(slow, card(1)) == ["link-trained-narrow", "slow-memory"]


@pytest.mark.parametrize(("direction", "values"), [("h2d", (16.4, 12.0, 12.0)), ("d2d", (519.0, 800.0, 519.0))])
def test_a_figure_above_physics_is_no_measurement(direction: str, values: tuple[float, ...]) -> None:
    with pytest.raises(MeasurementError, match=f"device 0 {direction}: .* this is no measurement"):
        refuse_impossible([card(0, **{direction: values})], bare)


def test_a_figure_just_below_the_ceiling_is_one() -> None:
    refuse_impossible([card(0, h2d=(15.7, 15.7, 15.7))], bare)


def test_a_model_without_a_band_is_neither_good_nor_slow() -> None:
    unknown = card(0, model=A30)

    assert causes(unknown) == []
    assert unknown_bands([unknown], bare) == ["bandwidth.d2d of A30", "bandwidth.d2h of A30", "bandwidth.h2d of A30"]


def test_the_link_of_a_model_without_a_known_one_is_compared_with_equal_cards() -> None:
    """Nothing is known of A30's link, but one of two shows half the lanes and copies half as fast."""
    slow = card(0, model=A30, h2d=(12.0,) * 3, seen=loaded((4, 8)))
    good = card(1, model=A30, h2d=(24.0,) * 3, seen=loaded((4, 16)))

    assert causes(slow, good) == ["link-trained-narrow"]


def test_spread() -> None:
    assert spread_percent([10.0, 11.0, 10.0]) == pytest.approx(10.0)


@pytest.mark.parametrize(
    "values",
    [
        (10.8, 8.1, 13.2),
        (13.2, 10.3, 13.1, 10.5, 13.2, 10.4),
        (12.0, 12.1, 10.3, 14.8, 12.2, 10.4),
        (13.0, 11.0, 15.0, 10.5, 12.5, 14.0, 11.5, 13.5, 10.8),
    ],
)
def test_runs_that_differ_are_not_accepted_although_most_are_good(values: tuple[float, ...]) -> None:
    """At least 10.2 are expected, and most runs reach it."""
    found = findings([card(0, h2d=values)], bare)

    assert [finding.cause for finding in found] == ["unsteady-copies"]
    assert "spread" in found[0].what
    assert f"{len(values)} runs" in found[0].what


@pytest.mark.parametrize(
    "values",
    [
        (6.0, 12.1, 12.0, 12.1, 12.0, 12.2),
        (12.1, 11.4, 12.2),
        (12.1, 12.0, 3.6),
        (12.0, 12.9, 11.4, 12.6, 11.1, 12.2, 12.8, 11.6, 13.0),
        (12.0, 12.9, 11.4, 9.9, 11.1, 12.2, 12.8, 14.1, 13.0),
        (13.4, 12.1, 12.2, 12.0),
    ],
)
def test_one_run_that_differs_is_noise(values: tuple[float, ...]) -> None:
    """The others say what the card can do."""
    assert causes(card(0, h2d=values)) == []


def test_a_link_that_was_seen_low_in_one_of_the_runs_is_the_cause_of_their_spread() -> None:
    """It was looked at in each."""
    flapping = card(0, h2d=(12.1, 6.0, 12.0, 6.1, 12.2, 12.1), seen=loaded((2, 16)))

    assert causes(flapping, card(1)) == ["link-low-generation-under-load"]


@pytest.mark.parametrize(
    ("values", "is_wide"),
    [((12.1, 12.0, 12.2), False), ((12.1, 11.2, 12.2), False), ((6.0, 12.1, 12.0), True), ((10.8, 8.1, 13.2), True)],
)
def test_wide_runs_are_measured_again(values: tuple[float, ...], *, is_wide: bool) -> None:
    """Also where one run only is odd: a second look tells whether it was noise."""
    assert is_to_be_repeated([card(0), card(1, d2h=values)]) is is_wide


def test_the_worst_link_of_several_looks_counts() -> None:
    """And every reason of lower clocks."""
    worst = worst_of([loaded((3, 16)), loaded((2, 16), ("HW Slowdown",)), loaded((3, 8)), None])

    assert worst is not None
    assert (worst.link_generation, worst.link_width, worst.throttle_reasons) == (2, 8, ("HW Slowdown",))
    assert worst_of([None, None]) is None


def test_the_record_says_that_runs_were_repeated() -> None:
    """And why."""
    noisy = card(0, h2d=(6.0, 12.1, 12.0, 12.1, 12.0, 12.2))

    assert repeated([card(0)]) == ""
    assert repeated([noisy]) == "measured 6 times: device 0 h2d had a spread of 51 % in the first 3 runs"


def test_every_cause_has_a_fix() -> None:
    assert all(len(fix_of(cause)) > 20 for cause in CAUSES)

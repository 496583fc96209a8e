"""What is accepted follows from physics and from observed runs; without one nothing is invented."""

from __future__ import annotations

import itertools

import pytest
import yaml

from lab.paths import REPOSITORY
from probes.references import gpu_models
from probes.references.bands import (
    LATENCY_SLACK,
    METRICS,
    SLACK,
    VIRTUALISED_SHARE,
    Observation,
    band,
    ceiling_of,
    observations,
)
from probes.references.links import pcie_gb_per_s

P100, T4, A100 = (gpu_models()[key] for key in ("P100-PCIE-16GB", "T4", "A100-SXM4-80GB"))
WITHOUT_LINK = gpu_models()["A30"]
LAB_MODELS = yaml.safe_load((REPOSITORY / "lab" / "hosts" / "hardware" / "models.yaml").read_text())


def seen(metric: str, model: str, lowest: float, **more: object) -> Observation:
    facts = {"highest": lowest, "virtualised": False, "nvlinks": None, "source": "here", **more}
    return Observation(metric, model, lowest, **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("generation", "width", "gb_per_s"),
    [(1, 16, 4.0), (3, 16, 15.75), (6, 16, 118.0), (3, 8, 7.88), (4, 16, 31.5), (5, 16, 63.0)],
)
def test_ceilings_of_links(generation: int, width: int, gb_per_s: float) -> None:
    """A PCIe link can carry no more than its generation and width allow."""
    assert pcie_gb_per_s(generation, width) == pytest.approx(gb_per_s, abs=0.02)


def test_a_generation_that_nobody_knows_has_no_ceiling() -> None:
    """A PCIe generation that is not in the table has no ceiling."""
    assert pcie_gb_per_s(9, 16) is None


@pytest.mark.parametrize("key", sorted(gpu_models()))
def test_no_minimum_is_near_its_ceiling(key: str) -> None:
    """Each minimum leaves a tenth below the ceiling, and a band is known only with its source."""
    for metric, virtualised in itertools.product(METRICS, (True, False)):
        found = band(gpu_models()[key], metric, virtualised=virtualised)

        assert found.is_known == bool(found.source and (found.minimum or found.maximum))
        if found.minimum is not None and found.ceiling is not None:
            assert 0 < found.minimum < 0.9 * found.ceiling


@pytest.mark.parametrize("observation", observations(), ids=lambda seen: f"{seen.metric}-{seen.model}-{seen.nvlinks}")
def test_observed_runs_are_possible_and_accepted(observation: Observation) -> None:
    """Each observed run is below the physical limit and within the band of its own model."""
    model = gpu_models()[observation.model]
    ceiling = ceiling_of(model, observation.metric, observation.nvlinks)
    found = band(model, observation.metric, virtualised=observation.virtualised, nvlinks=observation.nvlinks)

    assert observation.metric in METRICS
    assert observation.lowest <= observation.highest
    assert ceiling is None or observation.highest < ceiling
    assert found.minimum is None or found.minimum <= observation.lowest
    assert found.maximum is None or found.maximum >= observation.highest


def test_the_models_own_observation_counts_before_others() -> None:
    """A minimum comes from an observation of the model itself if there is one."""
    known = [seen("bandwidth.h2d", "P100-PCIE-16GB", 12.0), seen("bandwidth.h2d", "T4", 5.0)]

    assert band(P100, "bandwidth.h2d", virtualised=False, known=known).minimum == round(12.0 * SLACK, 1)


def test_an_observation_of_an_instance_counts_there_as_it_is() -> None:
    """In an instance, a run that was observed in an instance sets the minimum."""
    known = [seen("bandwidth.h2d", "T4", 12.0), seen("bandwidth.h2d", "T4", 9.0, virtualised=True)]

    assert band(T4, "bandwidth.h2d", virtualised=True, known=known).minimum == round(9.0 * SLACK, 1)
    assert band(T4, "bandwidth.h2d", virtualised=False, known=known).minimum == round(12.0 * SLACK, 1)


def test_an_instance_is_allowed_less_of_a_link_but_not_of_memory() -> None:
    """Without an observation in an instance only copies over the link may be slower there."""
    known = [seen("bandwidth.h2d", "T4", 12.0), seen("bandwidth.d2d", "T4", 240.0)]

    assert band(T4, "bandwidth.h2d", virtualised=True, known=known).minimum == round(
        12.0 * VIRTUALISED_SHARE * SLACK, 1
    )
    assert band(T4, "bandwidth.d2d", virtualised=True, known=known).minimum == round(240.0 * SLACK, 1)


def test_other_models_count_by_what_their_memory_can() -> None:
    """A model without an observation gets another model's minimum, scaled by memory bandwidth."""
    known = [seen("bandwidth.d2d", "P100-PCIE-16GB", 0.7 * 732.2)]
    found = band(A100, "bandwidth.d2d", virtualised=False, known=known)

    assert found.minimum == pytest.approx(0.7 * 2039 * SLACK, abs=0.1)


def test_a_link_of_another_generation_says_nothing_of_host_copies() -> None:
    """Copies over a link of another generation give no minimum."""
    known = [seen("bandwidth.h2d", "P100-PCIE-16GB", 12.0)]

    assert not band(A100, "bandwidth.h2d", virtualised=False, known=known).is_known


def test_a_model_without_a_known_link_has_no_band_of_it() -> None:
    """A model whose link is unknown has neither minimum nor ceiling for host copies."""
    found = band(WITHOUT_LINK, "bandwidth.h2d", virtualised=False)

    assert (found.minimum, found.maximum, found.ceiling, found.is_known) == (None, None, None, False)


def test_fewer_nvlinks_carry_less() -> None:
    """Minimum and ceiling of NVLink copies grow with the number of links."""
    twelve, four = (band(A100, "bandwidth.p2p_nvlink", virtualised=False, nvlinks=count) for count in (12, 4))

    assert (four.ceiling, twelve.ceiling) == (100, 300)
    assert 70 < (four.minimum or 0) < 100
    assert 200 < (twelve.minimum or 0) < 300


def test_latencies_have_a_maximum() -> None:
    """A latency has a maximum, a multiple of the highest that was observed, and no minimum."""
    known = [seen("latency.p2p_same_root", "P100-PCIE-16GB", 1.0, highest=1.5)]
    found = band(P100, "latency.p2p_same_root", virtualised=False, known=known)

    assert (found.minimum, found.maximum, found.ceiling) == (None, 1.5 * LATENCY_SLACK, None)


def test_nothing_is_known_of_p2p_between_sockets() -> None:
    """No run between sockets was observed, so there is no band for it."""
    assert not band(P100, "bandwidth.p2p_across_sockets", virtualised=False).is_known


@pytest.mark.parametrize("key", sorted(LAB_MODELS))
@pytest.mark.parametrize("direction", ["h2d", "d2h", "d2d"])
def test_a_card_as_the_lab_simulates_it_is_good(key: str, direction: str) -> None:
    """The bandwidths of each simulated card are within the band of its model."""
    found = band(gpu_models()[key], f"bandwidth.{direction}", virtualised=False)
    value = LAB_MODELS[key][f"{direction}_gb_per_s"]

    assert 0 < (found.minimum or 0) <= value <= (found.ceiling or 0)

"""A cloud file may tighten or relax a figure, with a reason that stands in the record; mistakes in it are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from example_cards import P100, card

from access.errors import CloudFileError
from cloud_file.cloud import Cloud
from cloud_file.loading import load
from judging.bare_metal import BareMetal
from judging.copies import findings
from judging.measuring import Bands, card_measurements
from probes.references import gpu_models

T4 = gpu_models()["T4"]


def cloud(folder: Path, thresholds: Any) -> Cloud:
    gpus = [{"model": "P100-PCIE-16GB", "count": 2}, {"model": "T4", "count": 1}]
    host = {"name": "here", "address": "localhost", "gpus": gpus}
    file = folder / "mine.yaml"
    file.write_text(yaml.safe_dump({"kind": "host", "hosts": [host], "thresholds": thresholds}))
    return load(file)


def test_a_tighter_figure_refuses_what_the_references_accept(tmp_path: Path) -> None:
    own = cloud(tmp_path, {"bandwidth.h2d": {"minimum": 12.5, "reason": "measured when it was new"}})
    usual = cloud(tmp_path, {})

    assert findings([card(0)], Bands(usual, virtualised=False).of_card) == []
    assert [finding.cause for finding in findings([card(0)], Bands(own, virtualised=False).of_card)] == ["slow-link"]


def test_a_laxer_figure_accepts_what_the_references_refuse(tmp_path: Path) -> None:
    own = cloud(tmp_path, {"bandwidth.h2d": {"minimum": 5.5, "reason": "slots with eight lanes"}})
    slow = card(0, h2d=(6.0, 6.0, 6.0))

    assert findings([slow], Bands(own, virtualised=False).of_card) == []


def test_the_reason_stands_in_the_record(tmp_path: Path) -> None:
    own = cloud(tmp_path, {"bandwidth.h2d": {"minimum": 5.5, "reason": "slots with eight lanes"}})
    made = card_measurements("here", [card(0)], Bands(own, virtualised=False), BareMetal())
    h2d = [item for item in made if item.metric == "bandwidth.h2d"]
    others = [item for item in made if item.metric != "bandwidth.h2d"]

    assert [(item.value, item.repetition, item.minimum) for item in h2d] == [
        (12.1, 1, 5.5),
        (12.0, 2, 5.5),
        (12.2, 3, 5.5),
    ]
    assert all("slots with eight lanes" in item.source and "reference: 10.2" in item.source for item in h2d)
    assert not any("cloud file" in item.source for item in others)


def test_a_figure_of_one_model_does_not_touch_another(tmp_path: Path) -> None:
    bands = Bands(
        cloud(
            tmp_path,
            {
                "bandwidth.h2d": [
                    {"minimum": 4.0, "reason": "old riser", "model": "T4"},
                    {"minimum": 11.0, "reason": "all others"},
                ]
            },
        ),
        virtualised=False,
    )

    assert bands.of_card(T4, "bandwidth.h2d").minimum == 4.0
    assert bands.of_card(P100, "bandwidth.h2d").minimum == 11.0


def test_the_ceiling_stays_where_physics_has_it(tmp_path: Path) -> None:
    own = cloud(tmp_path, {"bandwidth.h2d": {"minimum": 1.0, "reason": "anything goes"}})

    assert Bands(own, virtualised=False).of_card(P100, "bandwidth.h2d").ceiling == pytest.approx(15.75, abs=0.01)


@pytest.mark.parametrize(
    ("metric", "entry", "told"),
    [
        ("bandwidth.h2d", {"minimum": 5.0}, "reason"),
        ("bandwidth.h2d", {"minimum": 5.0, "reason": "  "}, "reason"),
        ("bandwith.h2d", {"minimum": 5.0, "reason": "r"}, "did you mean bandwidth.h2d?"),
        ("bandwidth.h2d", {"maximum": 5.0, "reason": "r"}, "bandwidth.h2d takes a minimum"),
        ("latency.p2p", {"minimum": 5.0, "reason": "r"}, "latency.p2p takes a maximum"),
        (
            "bandwidth.h2d",
            {"minimum": 20.0, "reason": "r"},
            "no P100-PCIE-16GB can reach 20 GB/s: it can do 15.8 at most",
        ),
        ("bandwidth.h2d", {"minimum": 5.0, "reason": "r", "model": "A100"}, "'A100' is no GPU model of this file"),
        ("bandwidth.h2d", {"minimum": 5.0, "reason": "r", "source": "s"}, "source"),
        ("bandwidth.h2d", "fast", "thresholds.bandwidth.h2d"),
    ],
)
def test_mistakes_are_told_with_their_line(metric: str, entry: Any, told: str, tmp_path: Path) -> None:
    with pytest.raises(CloudFileError) as caught:
        cloud(tmp_path, {metric: entry})

    assert told in str(caught.value)
    assert "line " in str(caught.value)

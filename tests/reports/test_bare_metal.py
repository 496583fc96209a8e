"""The bare-metal side of a ratio: the median of a run's figures, by metric and model."""

from __future__ import annotations

from pathlib import Path

import pytest

from access.errors import InputError
from judging.bare_metal import BareMetal
from judging.records import CheckRecord, Measurement, Verdict
from reports.bare_metal import load, of_run
from reports.records import Card, HostFacts, RunHeader
from reports.run import Run

CHECK = CheckRecord("cuda.bandwidth", "here", Verdict.PASSED, "test", "fact")


def figure(metric: str, device: str, value: float) -> Measurement:
    return Measurement(metric, value, "GB/s", "here", device, 1)


def run(*measurements: Measurement) -> Run:
    """Two P100 and one T4."""
    names = ("Tesla P100-PCIE-16GB", "Tesla P100-PCIE-16GB", "NVIDIA T4")
    cards = tuple(Card(str(index), name, "", "", "", "") for index, name in enumerate(names))
    header = RunHeader("metal", simulated=False, started="2026-01-01T00:00:00Z")
    check = CheckRecord(**{**vars(CHECK), "measurements": measurements})
    return Run(header, (check,), (HostFacts("here", {}, cards),), None)


def test_the_median_of_all_cards_of_a_model() -> None:
    bare = of_run(
        run(
            *(
                figure("bandwidth.h2d", device, value)
                for device, value in (("0", 12.0), ("1", 12.4), ("1", 12.2), ("2", 6.0))
            )
        )
    )

    assert bare.median("bandwidth.h2d", "P100-PCIE-16GB") == 12.2
    assert bare.median("bandwidth.h2d", "T4") == 6.0
    assert bare.median("bandwidth.d2h", "T4") is None
    assert bare.median("bandwidth.h2d", "V100-PCIE-16GB") is None


def test_pairs_count_for_the_model_of_their_first_card() -> None:
    bare = of_run(run(figure("bandwidth.p2p_same_root", "0-1", 13.1), figure("bandwidth.p2p_same_root", "1-0", 13.3)))

    assert bare.median("bandwidth.p2p_same_root", "P100-PCIE-16GB") == pytest.approx(13.2)


def test_a_device_that_no_inventory_names_is_left_out() -> None:
    assert of_run(run(figure("bandwidth.h2d", "7", 1.0))) == BareMetal()


def test_where_no_run_is_named_nothing_is_known() -> None:
    assert load(None) == BareMetal()


@pytest.mark.parametrize("named", ["never-was", "", "/nowhere/at/all"])
def test_a_run_that_is_not_there_is_bad_input(named: str) -> None:
    with pytest.raises(InputError, match="bare_metal: there is no run"):
        load(named)


def test_a_file_that_is_no_record_is_bad_input(tmp_path: Path) -> None:
    file = tmp_path / "records.jsonl"
    file.write_text("not JSON\n")

    with pytest.raises(InputError):
        load(str(file))

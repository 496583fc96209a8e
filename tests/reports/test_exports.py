"""Other programs read a run: CTRF by its schema, Prometheus by its own parser, whatever hosts print."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from made_runs import check, made_run, write
from prometheus_client.parser import text_string_to_metric_families
from test_junit import HOSTILE

from judging.records import Measurement, Verdict
from reports.__main__ import main
from reports.ctrf import ctrf
from reports.prometheus import prometheus
from reports.records import RunEnd
from reports.run import Run

SCHEMA = json.loads(Path(__file__).with_name("ctrf.schema.json").read_text(encoding="utf-8"))
BAD = [Verdict.FAILED, Verdict.ERROR, Verdict.NOT_VERIFIED, Verdict.BLOCKED]


def results_of(run: Run) -> dict[str, Any]:
    """Of a report that fits the schema and counts right."""
    report = json.loads(ctrf(run))
    jsonschema.validate(report, SCHEMA, format_checker=jsonschema.FormatChecker())
    results: dict[str, Any] = report["results"]
    statuses = [test["status"] for test in results["tests"]]
    counted = {name: statuses.count(name) for name in ("passed", "failed", "skipped", "pending", "other")}
    assert {name: results["summary"][name] for name in counted} == counted
    assert results["summary"]["tests"] == len(statuses)
    assert results["summary"]["start"] <= results["summary"]["stop"]
    return results


def samples_of(run: Run) -> dict[str, list[tuple[dict[str, str], float]]]:
    """By family, as Prometheus' own parser reads them; each series stands once."""
    families = list(text_string_to_metric_families(prometheus(run).decode()))
    found = {family.name: [(sample.labels, sample.value) for sample in family.samples] for family in families}
    assert len(found) == len(families)
    for samples in found.values():
        assert len({tuple(sorted(labels.items())) for labels, _ in samples}) == len(samples)
    return found


def outcomes(run: Run) -> dict[str, float]:
    return {labels["outcome"]: value for labels, value in samples_of(run)["gpu_acceptance_outcome"]}


def test_an_accepted_run_is_healthy_everywhere() -> None:
    """Every test passed, one outcome is 1, nothing failed."""
    run = made_run()
    results = results_of(run)

    assert {test["status"] for test in results["tests"]} == {"passed"}
    assert len(results["tests"]) == len(run.checks) + 1
    assert results["environment"]["healthy"] is True
    assert outcomes(run) == {"accepted": 1, "rejected": 0, "could not judge": 0}
    assert not samples_of(run)["gpu_acceptance_check_failed"]


@pytest.mark.parametrize("verdict", BAD)
def test_each_verdict_is_told_as_what_it_is(verdict: Verdict) -> None:
    """What could not be judged is neither failed nor passed."""
    run = made_run(more=[check("cuda.p2p", "all-cards", verdict, message="why", cause="slow", fix="this")])
    results = results_of(run)
    told = {test["name"]: test for test in results["tests"]}
    failed = samples_of(run)["gpu_acceptance_check_failed"]

    expected = {Verdict.FAILED: "failed", Verdict.BLOCKED: "skipped"}.get(verdict, "other")
    assert told["cuda.p2p [all-cards]"]["status"] == expected
    assert told["run.outcome"]["status"] == ("failed" if verdict is Verdict.FAILED else "other")
    assert results["environment"]["healthy"] is False
    assert outcomes(run)["rejected" if verdict is Verdict.FAILED else "could not judge"] == 1
    assert [labels["cause"] for labels, _ in failed] == (["slow"] if verdict is Verdict.FAILED else [])


def test_a_run_that_was_cut_off_or_not_cleaned_up_is_not_healthy() -> None:
    """No end, or the code of a clean-up that failed."""
    run = made_run()

    cut = results_of(replace(run, end=None))["tests"][-1]
    dirty = results_of(replace(run, end=RunEnd(run.end.ended, run.end.outcome, 70)))["tests"][-1]  # type: ignore[union-attr]
    assert cut["status"] == dirty["status"] == "other"
    assert not samples_of(replace(run, end=None))["gpu_acceptance_ended_timestamp_seconds"]


def test_what_hosts_print_breaks_no_export() -> None:
    """Control characters, quotes, backslashes, lone surrogates, ends of lines: in every field."""
    evil = HOSTILE + '"\\\n{}, \u2028'
    figures = (Measurement("latency.p2p", 1.5, "us", evil, evil, 1, card=evil),)
    texts = dict.fromkeys(("message", "cause", "fix", "fact", "file"), evil)
    run = made_run(more=[check(f"host.{evil}", evil, Verdict.FAILED, measurements=figures, **texts)] * 2)
    run = replace(run, header=replace(run.header, cloud=evil))

    assert any(test["status"] == "failed" for test in results_of(run)["tests"])
    assert len(samples_of(run)["gpu_acceptance_check_failed"]) == 1


def test_figures_come_in_base_units_by_card() -> None:
    """The median of the repetitions, in bytes per second and seconds."""
    run = made_run()
    found = samples_of(run)
    bandwidth, latency = (
        found["gpu_acceptance_bandwidth_h2d_bytes_per_second"],
        found["gpu_acceptance_latency_kernel_seconds"],
    )

    places = {(labels["host"], labels["device"]) for labels, _ in bandwidth}
    assert places == {("all-cards", "0"), ("all-cards", "1"), ("one-card", "0")}
    assert [value for _, value in bandwidth] == pytest.approx([11.901e9] * 3, rel=1e-3)
    assert [value for _, value in latency] == pytest.approx([6.301e-6] * 3, rel=1e-3)


@pytest.mark.parametrize("shape", ["ctrf", "prometheus", "junit"])
def test_a_command_writes_them_of_an_old_run(tmp_path: Path, shape: str) -> None:
    """Also where the suite of that time wrote none."""
    directory = write(made_run(), tmp_path)

    assert main(["export", str(directory), "--format", shape, "--out", str(tmp_path / "made")]) == 0
    assert (tmp_path / "made").stat().st_size > 500

"""kind: host on real answers: the whole acceptance reads what a machine with an H200 said, and judges it.

Programs of the same names stand first in PATH and repeat what was recorded; a command that was not recorded fails.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_kind_host import LOCAL, pytest_run, written

from judging.records import Verdict
from reports.run import Run, read

SAMPLES = Path(__file__).parents[1] / "probes" / "samples"
RECORDED = Path(__file__).parent / "recorded_h200"
H200 = {"model": "H200-SXM-141GB", "count": 1}
NOT_RECORDED = 64

Answer = dict[str, Any]
Judge = Callable[..., tuple[int, str, Run]]


def answers(*others: Answer) -> list[Answer]:
    """What was recorded; `others` take the place of what has the same command."""
    recorded: list[Answer] = yaml.safe_load((RECORDED / "answers.yaml").read_text())
    return [*others, *(answer for answer in recorded if answer["run"] not in [other["run"] for other in others])]


def text_of(says: str) -> Path:
    return SAMPLES / f"{says}.txt" if "/" in says else RECORDED / says


def install(folder: Path, recorded: list[Answer]) -> None:
    """One program for each first word, which knows its answers by its whole command line."""
    for program in {answer["run"].split()[0] for answer in recorded}:
        cases = [
            f"{shlex.quote(pattern).replace('*', chr(39) + '*' + chr(39))}) /bin/cat {text_of(answer['says'])}; "
            f"exit {answer.get('exit_code', 0)};;"
            for answer in recorded
            if (pattern := answer["run"]).split()[0] == program
        ]
        otherwise = f'*) echo "not recorded: {program} $*" >&2; exit {NOT_RECORDED};;'
        if program == "cat":
            otherwise = '*) exec /bin/cat "$@";;'
        script = folder / program
        script.write_text("\n".join(["#!/bin/sh", f'case "{program}${{*:+ $*}}" in', *cases, otherwise, "esac", ""]))
        script.chmod(0o755)
    sudo = folder / "sudo"
    sudo.write_text('#!/bin/sh\nwhile [ "$1" != sh ] && [ "$1" != /bin/sh ]; do shift; done; exec "$@"\n')
    sudo.chmod(0o755)


@pytest.fixture
def judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Judge:
    """Accept the recorded machine, with other answers or other cards declared: exit code, output, records."""

    def judged(*others: Answer, gpus: Answer = H200, options: tuple[str, ...] = ()) -> tuple[int, str, Run]:
        programs = tmp_path / "programs"
        programs.mkdir()
        install(programs, answers(*others))
        monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
        cloud = written(tmp_path, hosts=[{**LOCAL, "gpus": [gpus]}])
        done = pytest_run(cloud, "--run-dir", str(tmp_path / "run"), *options)
        return done.returncode, done.stdout + done.stderr, read(tmp_path / "run")

    return judged


def causes(run: Run) -> dict[str, str]:
    return {check.id: check.cause for check in run.checks if check.verdict is Verdict.FAILED}


def test_a_machine_with_an_h200_is_accepted(judge: Judge) -> None:
    code, output, run = judge()

    assert code == 0, output
    assert {check.verdict for check in run.checks} == {Verdict.PASSED}
    assert {"instance.gpu.exact", "instance.driver.fits", "cuda.bandwidth"} <= {c.id for c in run.checks}
    assert run.end is not None
    assert {"cuda.p2p", "cuda.p2p_data"} <= set(run.end.left_out), "one card has no pair"
    figures = {m.metric: m.value for check in run.checks for m in check.measurements}
    assert figures == {"bandwidth.h2d": 54.6, "bandwidth.d2h": 55.1, "bandwidth.d2d": 4176.2}


def test_two_workers_give_the_same_verdicts_and_reports(judge: Judge, tmp_path: Path) -> None:
    """What measures alone begins first there, so that the other worker does the rest meanwhile."""
    code, output, run = judge(options=("-n", "2"))

    assert code == 0, output
    assert {check.verdict for check in run.checks} == {Verdict.PASSED}
    assert {check.worker for check in run.checks} == {"gw0", "gw1"}
    by_start = sorted(run.checks, key=lambda check: check.started)
    assert "cuda.bandwidth" in [next(c.id for c in by_start if c.worker == worker) for worker in ("gw0", "gw1")]
    assert {file.name for file in (tmp_path / "run").iterdir()} >= {"acceptance.html", "report.html", "junit.xml"}


def test_another_card_than_declared_is_named_before_its_driver_is_blamed(judge: Judge) -> None:
    """The open module takes no P100: true, and not what is wrong here."""
    code, output, run = judge(gpus={"model": "P100-PCIE-16GB", "count": 1})

    assert code == 1, output
    assert causes(run)["instance.gpu.exact"] == "other-cards-than-requested"
    assert "lspci shows 1x H200-SXM-141GB [10de:2335], declared are 1x P100-PCIE-16GB [10de:15f8]" in output
    assert output.count("REJECTED  ") == 2, output  # the cause, and the last line


def test_a_missing_card_is_named(judge: Judge) -> None:
    code, output, _ = judge(gpus={**H200, "count": 2})

    assert code == 1, output
    assert "lspci shows 1x H200-SXM-141GB [10de:2335], declared are 2x H200-SXM-141GB [10de:2335]" in output


def test_cards_that_are_hidden_from_cuda_are_a_finding(judge: Judge) -> None:
    """Every program works, and says with exit code 1 that CUDA has no card: one cause, and no broken measurement."""
    hidden = [
        {"run": program, "says": "device_query/fail-100-hidden", "exit_code": 1}
        for program in ("deviceQuery", "p2pBandwidthLatencyTest", "simpleP2P")
    ]
    code, output, run = judge(*hidden)

    assert code == 1, output
    assert causes(run)["cuda.device_query"] == "cuda-100"
    assert {*causes(run).values()} == {"cuda-100"}
    assert output.count("REJECTED  ") == 2, output  # the cause, and the last line
    assert "CUDA_VISIBLE_DEVICES hides cards" in output


def test_a_link_of_half_its_width_is_named(judge: Judge, tmp_path: Path) -> None:
    """The same card in a slot of eight lanes: half the speed, and the driver tells the link."""
    narrow = tmp_path / "narrow.txt"
    text = text_of("nvidia_smi_query/h200-580").read_text()
    narrow.write_text(
        text.replace("Current                                : 16x", "Current                                : 8x")
    )
    slow = tmp_path / "slow.txt"
    slow.write_text(
        text_of("bandwidth_sample/h200-passthrough").read_text().replace("54.6", "26.9").replace("55.1", "27.2")
    )
    code, output, run = judge(
        {"run": "nvidia-smi -q", "says": str(narrow.with_suffix(""))},
        {"run": "bandwidthTest --device=0", "says": str(slow.with_suffix(""))},
    )

    assert code == 1, output
    assert causes(run)["cuda.bandwidth"] == "link-trained-narrow"

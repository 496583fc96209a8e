"""The recorded machine with one answer changed: what the whole acceptance makes of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from test_recorded_host import Answer, Judge, causes, judge, text_of

from judging.records import Verdict

__all__ = ["judge"]
Say = Callable[[str, str], Answer]
QUERY, DEVICES = "nvidia_smi_query/h200-580", "device_query/h200-passthrough"
XID = "[   99.000001] NVRM: Xid (PCI:0000:00:06): "


@pytest.fixture
def say(tmp_path: Path) -> Say:
    """An answer of our own to a command."""

    def made(run: str, text: str) -> Answer:
        file = tmp_path / f"{abs(hash(run))}.txt"
        file.write_text(text)
        return {"run": run, "says": str(file.with_suffix(""))}

    return made


def log(*lines: str) -> str:
    return "\n".join([text_of("dmesg.txt").read_text().rstrip(), *lines, ""])


def query(*changes: tuple[str, str]) -> str:
    text = text_of(QUERY).read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


HEALTHY = {
    "what the driver notes": (
        "dmesg",
        log(
            f"{XID}13, pid=1, name=python3, Graphics SM Warp Exception",
            f"{XID}43, pid=1, name=python3, Ch 00000010",
            f"{XID}145, RLW_SRC_TRACK Nonfatal XC1 i0 Link 12 (0x0)",
            "[ 9.0] NVRM: nvCheckOkFailedNoLog: Check failed: Call not supported [NV_ERR_NOT_SUPPORTED] (0x56)",
        ),
    ),
    "a field that nobody reads, and a fabric that is ready": (
        "nvidia-smi -q",
        query(
            ("Host Max                               : N/A", "Host Max                               : Unknown Error"),
            ("        State                                          : N/A", "        State : Completed"),
            ("        Status                                         : N/A", "        Status : Success"),
        ),
    ),
}


@pytest.mark.parametrize("what", HEALTHY)
def test_a_healthy_machine_is_accepted(judge: Judge, say: Say, what: str) -> None:
    code, output, run = judge(say(*HEALTHY[what]))

    assert code == 0, output
    assert {check.verdict for check in run.checks} == {Verdict.PASSED}
    [check] = [check for check in run.checks if check.id == "instance.driver.no_errors"]
    assert ("1 x Xid 13" in check.found) == (what == "what the driver notes")


FAULTS = {
    "the card is off the bus": ("dmesg", log(f"{XID}79, GPU has fallen off the bus."), "xid", "power-cycle the host"),
    "a switch cannot go on": (
        "dmesg",
        log("[ 9.0] nvidia-nvswitch0: SXid (PCI:0000:59:00.0): 23001, Fatal, Link 12"),
        "nvswitch-error",
        "nvidia-fabricmanager",
    ),
    "the driver wants a reset": (
        "nvidia-smi -q",
        query(("GPU Recovery Action                                : None", "GPU Recovery Action : Reset")),
        "card-needs-a-reset",
        "reset the card",
    ),
    "a sensor does not answer": (
        "nvidia-smi -q",
        query(("GPU Current Temp                               : ", "GPU Current Temp : ERR! ")),
        "sensors-do-not-answer",
        "exchange it",
    ),
}


@pytest.mark.parametrize("what", FAULTS)
def test_a_fault_has_one_cause_and_its_fix(judge: Judge, say: Say, what: str) -> None:
    run, text, cause, fix = FAULTS[what]
    code, output, records = judge(say(run, text))

    assert code == 1, output
    assert [*causes(records).values()] == [cause]
    assert fix in output


def test_a_program_without_code_for_the_card_is_a_finding(judge: Judge, say: Say) -> None:
    """It is no broken measurement, and deviceQuery passes."""
    said = 'CUDA error at matrixMul.cu:180 code=209(cudaErrorNoKernelImageForDevice) "cudaGetLastError()" \n'
    code, output, run = judge({**say("matrixMul -device=0", said), "exit_code": 1})

    assert code == 1, output
    assert causes(run) == {"cuda.computes_right": "cuda-209"}
    assert "compute capability" in output


def test_a_fabric_that_is_not_ready_explains_what_cuda_says(judge: Judge, say: Say) -> None:
    """One cause, and 802 follows from it."""
    state = query(("        State                                          : N/A", "        State : In Progress"))
    refused = "cudaGetDeviceCount returned 802\n-> system not yet initialized\nResult = FAIL\n"
    code, output, run = judge(say("nvidia-smi -q", state), {**say("deviceQuery", refused), "exit_code": 1})

    assert code == 1, output
    assert causes(run)["instance.gpu.health"] == "fabric-not-ready"
    assert causes(run)["cuda.device_query"] == "cuda-802"
    assert output.count("REJECTED  ") == 2, output  # the cause, and the last line


@pytest.mark.parametrize(
    ("run", "text", "check"),
    [
        ("nvidia-smi", "qwertz\n4711\n", "instance.driver.tools"),
        ("dmesg", "<html>502 Bad Gateway</html>\n", "instance.driver.no_errors"),
    ],
)
def test_an_answer_that_says_nothing_is_no_acceptance(
    judge: Judge,
    say: Say,
    run: str,
    text: str,
    check: str,
) -> None:
    """Nor is it a rejection."""
    code, output, records = judge(say(run, text))

    assert code == 69, output
    assert [item.verdict for item in records.checks if item.id == check] == [Verdict.ERROR]

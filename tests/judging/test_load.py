"""What a load leaves: which texts of real tools are a finding of which cause, and which healthy ones are none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from suite_source import REPOSITORY

from access.errors import Blocked, MeasurementError, NotVerified, Rejected, ToolFailure
from judging import dcgm_causes, load
from judging.causes import cause_of
from judging.cuda_programs import errors_are_findings
from probes.load.loaded import Loaded

SAMPLES = REPOSITORY / "tests/probes/samples"
BEFORE = (SAMPLES / "nvidia_smi_query/h200-580.txt").read_text(encoding="utf-8")
CHECKED = (
    "card_load check device 0 seconds 240.1 bytes 135000000000 passes 900 bits {bits} products 9000 wrong {wrong} "
    "digest 0123456789abcdef gflops 9000.0\n"
)
COPIED = "card_load copy device {device} seconds 20.0 h2d {h2d} d2h 40.0\n"
AER = "0000:17:00.0 aer_dev_{kind} {name} {count}\nend\n"
KERNEL = "[    1.000000] Linux version 5.14.0\n[  100.000000] nvidia 0000:00:06.0: fine\n"


def _machine(**texts: str) -> Loaded:
    """One machine with one card, healthy but for what is given."""
    healthy = {
        "steps": "copies 1000\nload 1020\nburn 1260\nloaded 1260\ndcgm 1261\nend 1262\n",
        "before": BEFORE,
        "after": BEFORE,
        "samples": BEFORE * 3,
        "checks": CHECKED.format(bits=0, wrong=0),
        "alone": COPIED.format(device=0, h2d=50.0),
        "copies": COPIED.format(device=0, h2d=49.0),
        "kernel_before": KERNEL.splitlines()[-1] + "\n",
        "kernel_after": KERNEL,
    }
    return Loaded("vm", "compute-0", "quick", {**healthy, **texts})


def _after(old: str, new: str, times: int = 1) -> str:
    """The healthy answer with one line changed."""
    assert old in BEFORE
    return BEFORE.replace(old, new, times)


def _all(machine: Loaded) -> list[str]:
    found = [
        *load.lost(machine),
        *load.wrong_results(machine),
        *load.grown_counters(machine),
        *load.throttled(machine),
        *load.collapsed([machine]),
    ]
    return [finding.cause for finding in found]


def test_a_healthy_load_is_no_finding() -> None:
    assert _all(_machine()) == []


@pytest.mark.parametrize(("bits", "wrong", "cause"), [(3, 0, "memory-loses-bits"), (0, 1, "card-computes-wrong")])
def test_a_wrong_word_or_product_is_a_finding(bits: int, wrong: int, cause: str) -> None:
    assert _all(_machine(checks=CHECKED.format(bits=bits, wrong=wrong))) == [cause]


REPLAYS = "Replays Since Reset                            : 2\n"
ROLLOVERS = "Replay Number Rollovers                        : 0\n"
THERMAL = "HW Thermal Slowdown                            : 0 us\n"
SRAM = "        SRAM Correctable"


def _uncorrectable() -> str:
    """The line of the first counter of uncorrectable errors since the driver was loaded."""
    volatile = BEFORE.partition("        Volatile\n")[2]
    return next(line for line in volatile.splitlines() if "Uncorrectable" in line and line.rstrip().endswith(": 0"))


GROWN = [
    pytest.param(REPLAYS, REPLAYS.replace("2", "35"), "", id="some replays are harmless"),
    pytest.param(REPLAYS, REPLAYS.replace("2", "90000"), "link-errors-grew", id="many replays"),
    pytest.param(ROLLOVERS, ROLLOVERS.replace("0", "1"), "link-errors-grew", id="the counter of replays rolled over"),
    pytest.param(THERMAL, THERMAL.replace("0", "120000"), "throttling", id="heat between two looks"),
    pytest.param(_uncorrectable(), _uncorrectable()[:-1] + "1", "uncorrected-memory-errors", id="an uncorrected error"),
]


@pytest.mark.parametrize(("old", "new", "cause"), GROWN)
def test_a_counter_that_grew_is_a_finding_of_its_card(old: str, new: str, cause: str) -> None:
    found = load.grown_counters(_machine(after=_after(old, new)))

    assert [finding.cause for finding in found] == ([cause] if cause else [])
    assert all("0000:00:06.0" in finding.what for finding in found)


@pytest.mark.parametrize(("old", "new", "cause"), [case for case in GROWN if case.values[2]])
def test_a_counter_that_was_high_before_is_none(old: str, new: str, cause: str) -> None:
    """What a card counted in its past is a question of other checks."""
    text = _after(old, new)

    assert load.grown_counters(_machine(before=text, after=text)) == []


def test_a_card_that_is_gone_afterwards_is_a_finding() -> None:
    other = BEFORE.replace("00:06.0", "00:07.0").replace(": 0x06", ": 0x07")

    assert [finding.cause for finding in load.grown_counters(_machine(after=other))] == ["card-lost-under-load"]


XID = "[  200.0] NVRM: Xid (PCI:0000:00:06): 79, pid=1, GPU has fallen off the bus.\n"


def test_only_xids_since_the_load_began_count() -> None:
    before = _machine(kernel_before=XID, kernel_after=KERNEL + XID)
    meanwhile = _machine(kernel_after=KERNEL + XID)

    assert load.grown_counters(before) == []
    assert {finding.cause for finding in load.grown_counters(meanwhile)} == {"card-fell-off-the-bus", "xid/power-cycle"}


def test_a_log_that_lost_its_beginning_is_read_from_where_it_begins() -> None:
    """A ring buffer forgets: all that is left came later."""
    found = load.grown_counters(_machine(kernel_before="[ 1.0] long ago\n", kernel_after=XID))

    assert "xid/power-cycle" in {finding.cause for finding in found}


@pytest.mark.parametrize(
    ("kind", "name", "count", "cause"),
    [
        ("correctable", "BadTLP", 20, ""),
        ("correctable", "BadTLP", 9000, "link-errors-grew/host"),
        ("nonfatal", "CmpltTO", 1, "link-errors-grew/host"),
        ("fatal", "DLP", 1, "link-errors-grew/host"),
        ("correctable", "NonFatalErr", 50, ""),
    ],
)
def test_errors_of_the_hosts_links(kind: str, name: str, count: int, cause: str) -> None:
    """What was 0 before has no line; advisory errors are counted where something else is wrong."""
    after = AER.format(kind=kind, name=name, count=count)
    found = load.grown_counters(_machine(server_before="end\n", server_after=after))

    assert [finding.cause for finding in found] == ([cause] if cause else [])
    assert load.grown_counters(_machine(server_before="", server_after=after)) == [], "nobody knows what was before"


@pytest.mark.parametrize(
    ("line", "count", "cause"),
    [
        ("Replay Errors", 1, "nvlink-errors-grew"),
        ("Recovery Errors", 1, "nvlink-errors-grew"),
        ("CRC Errors", 40, ""),
        ("CRC Errors", 10_000_000, "nvlink-errors-grew"),
    ],
)
def test_errors_of_links_between_cards(line: str, count: int, cause: str) -> None:
    text = "GPU 0: NVIDIA H200 (UUID: GPU-0)\n\t Link 3: {line}: {count}\n"
    found = load.grown_counters(
        _machine(links=text.format(line=line, count=0), links_after=text.format(line=line, count=count))
    )

    assert [finding.cause for finding in found] == ([cause] if cause else [])


@pytest.mark.parametrize(
    ("reason", "is_told"),
    [("SW Power Cap", False), ("HW Thermal Slowdown", True), ("HW Power Brake Slowdown", True), ("SW Thermal", True)],
)
def test_heat_and_lack_of_power_are_findings_and_a_power_limit_is_none(reason: str, is_told: bool) -> None:
    lines = [
        line.replace("Not Active", "Active") if line.strip().startswith(reason) else line
        for line in BEFORE.splitlines()
    ]
    found = load.throttled(_machine(samples=BEFORE + "\n".join(lines) + "\n"))

    assert [finding.cause for finding in found] == (["throttling"] if is_told else [])


@pytest.mark.parametrize(
    ("figures", "cause"),
    [
        ([50.0, 50.0], ""),
        ([25.5, 25.5], ""),
        ([13.0, 13.0, 13.0, 13.0], ""),
        ([10.0, 10.0], "copies-collapse-together"),
        ([2.0] * 8, "copies-collapse-together"),
        ([10.0], ""),
    ],
    ids=["own links", "one shared link", "four share one", "collapsed", "eight collapsed", "one card"],
)
def test_cards_that_share_a_way_divide_it_and_no_more(figures: list[float], cause: str) -> None:
    """Also where each of them is in an instance of its own."""
    together = [COPIED.format(device=n, h2d=h2d) for n, h2d in enumerate(figures)]
    one = _machine(copies="".join(together))
    each = [replace(_machine(copies=COPIED.format(device=0, h2d=h2d)), name=f"vm{n}") for n, h2d in enumerate(figures)]

    for machines in ([one], each):
        assert [finding.cause for finding in load.collapsed(machines)] == ([cause] if cause else [])


def test_a_machine_that_was_lost_is_a_finding_and_one_that_could_not_be_loaded_is_none() -> None:
    assert [finding.cause for finding in load.lost(Loaded("vm", "", "quick", lost="gone"))] == [
        "machine-lost-under-load"
    ]
    with pytest.raises(MeasurementError, match="no route"):
        load.require_loaded(Loaded("vm", "", "quick", missing="no route"))
    with pytest.raises(Blocked, match=r"instance\.stack\.complete"):
        load.require_loaded(Loaded("vm", "", "quick", missing="instance.stack.complete: no", is_blocked=True))


def test_without_a_program_that_checks_there_is_no_verdict() -> None:
    with pytest.raises(NotVerified, match="nvcc: Command not found"):
        load.wrong_results(_machine(checks="", build="make: nvcc: Command not found\n"))


def test_a_card_that_was_not_loaded_is_not_passed_over() -> None:
    two = BEFORE.replace("Attached GPUs                                          : 1", "Attached GPUs   : 2")
    card = BEFORE[BEFORE.index("GPU 00000000") :]
    other = card.replace("00:06.0", "00:07.0").replace(": 0x06", ": 0x07").replace("GPU-0", "GPU-1")

    with pytest.raises(NotVerified, match="1 of 2 cards"):
        load.wrong_results(_machine(before=two + other))


def test_an_error_of_cuda_is_a_finding() -> None:
    said = "CUDA error at card_load.cu:30 code=214(cudaErrorECCUncorrectable) \n"
    with pytest.raises(Rejected) as found, errors_are_findings("the load"):
        load.wrong_results(_machine(checks=said))

    assert found.value.cause == "cuda-214"


def _dcgm(*complaints: object, status: str = "Fail", version: int = 4, test: str = "memory") -> str:
    result: dict[str, object] = {"status": status, "warnings": list(complaints)}
    result |= {"entity_group": "GPU", "entity_id": 0} if version >= 4 else {"gpu_ids": "0,1"}
    categories = [{"category": "Hardware", "tests": [{"name": test, "results": [result]}, None]}]
    root = "DCGM Diagnostic" if version >= 4 else "DCGM GPU Diagnostic"
    return "WARNING: something\n" + json.dumps(
        {root: {"test_categories": categories}, "metadata": {"version": "4.2.3"}}
    )


@pytest.mark.parametrize(
    ("number", "severity", "cause"),
    [
        (52, 2, "card-computes-wrong"),
        (57, 6, "uncorrected-memory-errors"),
        (29, 5, ""),
        (9999, 2, "dcgm-found"),
        (9999, 5, ""),
        (9999, 6, "card-needs-a-reset"),
        (65, 4, ""),
    ],
    ids=["memory", "ECC", "persistence mode", "unknown", "unknown setting", "unknown reset", "DCGM's own"],
)
def test_what_dcgm_says_is_told_by_our_causes(number: int, severity: int, cause: str) -> None:
    complaint = {"error_id": number, "error_severity": severity, "error_category": 10, "warning": "words"}
    found = load.wrong_results(_machine(dcgm=_dcgm(complaint)))

    assert [finding.cause for finding in found] == ([cause] if cause else [])
    assert all("words" in finding.what and "GPU 0" in finding.what for finding in found)


def test_dcgm_before_3_2_has_no_numbers() -> None:
    found = load.wrong_results(_machine(dcgm=_dcgm("GPU 0 is hot", version=2)))

    assert [(finding.cause, finding.what.count("GPU 0 is hot")) for finding in found] == [("dcgm-found", 1)] * 2


@pytest.mark.parametrize("status", ["Pass", "Skip", "SKIPPED", "Not Run"])
def test_what_dcgm_passed_or_left_out_is_no_finding(status: str) -> None:
    assert load.wrong_results(_machine(dcgm=_dcgm(status=status))) == []


def test_dcgm_without_its_service_is_as_if_it_were_not_installed() -> None:
    said = "Error: unable to establish a connection to the specified host: localhost\n"

    assert load.wrong_results(_machine(dcgm=said)) == []


def test_dcgm_that_could_not_run_is_no_verdict() -> None:
    with pytest.raises(ToolFailure):
        load.wrong_results(_machine(dcgm="Error: Unable to complete diagnostic for group 2147483647.\n"))


def test_every_cause_of_dcgm_exists_and_belongs_to_the_check() -> None:
    for cause in dcgm_causes.causes():
        assert cause_of(cause).is_given_by("cuda.load.right"), cause


@pytest.mark.parametrize("kind", ["counters", "nvlink", "host"])
def test_every_counter_names_a_cause_and_a_source(kind: str) -> None:
    for counter in load.counters(kind):
        assert cause_of(counter.cause).is_given_by("cuda.load.counters")
        assert counter.source


def test_the_published_table_has_the_levels(tmp_path: Path) -> None:
    text = (REPOSITORY / "docs/running.md").read_text(encoding="utf-8")
    from judging.levels import levels

    for level in levels():
        assert f"| `{level.name}` | {_told(level.load_s)} | level {level.dcgm}," in text


def _told(seconds: int) -> str:
    return f"{round(seconds / 3600)} hours" if seconds >= 7200 else f"{seconds // 60} minutes"

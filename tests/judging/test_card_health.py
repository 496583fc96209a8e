"""What the driver tells of a card, judged: what is wrong, most telling first, and what is in order."""

from __future__ import annotations

from pathlib import Path

import pytest

from judging.card_health import findings
from judging.causes import cause_of, fix_of
from probes.nvidia_smi import query

SAMPLES = Path(__file__).parents[1] / "probes/samples/nvidia_smi_query"
H200 = (SAMPLES / "h200-580.txt").read_text()
RECOVERY, CHANNEL = "GPU Recovery Action", "Channel Repair Pending"


def changed(text: str, section: str, field: str, value: str) -> str:
    """The answer with another value of a field, the first at or below a section's heading."""
    lines = text.split("\n")
    start = next(number for number, line in enumerate(lines) if line.strip().startswith(section))
    place = next(number for number in range(start, len(lines)) if lines[number].strip().startswith(f"{field} "))
    lines[place] = f"{lines[place].partition(' : ')[0]} : {value}"
    return "\n".join(lines)


def causes(text: str, *, wants_ecc: bool = True) -> list[str]:
    found = findings(query.parse(text), wants_ecc=wants_ecc)
    assert all(fix_of(finding.cause, **finding.values) for finding in found)
    assert all(cause_of(finding.cause).is_given_by("instance.gpu.health") for finding in found)
    return [finding.cause.partition("/")[0] for finding in found]


@pytest.mark.parametrize("name", ["h200-580", "h100-545", "page-retirement-x8-good", "gtx-2012-290"])
def test_cards_in_good_order(name: str) -> None:
    """Of all ages."""
    assert causes((SAMPLES / f"{name}.txt").read_text(), wants_ecc=False) == []


@pytest.mark.parametrize(
    ("section", "field", "value", "cause"),
    [
        (RECOVERY, RECOVERY, "Reset", "card-needs-a-reset"),
        (RECOVERY, RECOVERY, "Reboot", "card-needs-a-reset"),
        (RECOVERY, RECOVERY, "Drain P2P", "card-needs-a-reset"),
        (RECOVERY, RECOVERY, "Drain and Reset", "card-needs-a-reset"),
        (RECOVERY, RECOVERY, "GPU requires reset", "card-needs-a-reset"),
        (CHANNEL, CHANNEL, "Yes", "memory-repair-pending"),
        ("TPC Repair", "TPC Repair Pending", "Yes", "memory-repair-pending"),
        ("Remapped Rows", "Pending", "Yes", "memory-repair-pending"),
        ("Remapped Rows", "Remapping Failure Occurred", "Yes", "memory-beyond-repair"),
        ("Aggregate", "SRAM Threshold Exceeded", "Yes", "memory-beyond-repair"),
        ("Unrepairable", "Unrepairable Memory", "Yes", "memory-beyond-repair"),
        ("Volatile", "DRAM Uncorrectable", "3", "uncorrected-memory-errors"),
        ("Volatile", "SRAM Uncorrectable Parity", "1", "uncorrected-memory-errors"),
        ("Fabric", "State", "In Progress", "fabric-not-ready"),
        ("Fabric", "State", "Not Started", "fabric-not-ready"),
        ("Fabric", "Status", "Insufficient Resources", "fabric-not-ready"),
        ("Fabric", "Summary", "Unhealthy", "fabric-not-ready"),
        ("Fabric", "Summary", "Limited Capacity", "fabric-not-ready"),
        ("ECC Mode", "Current", "Disabled", "error-correction-off"),
        ("MIG Mode", "Current", "Enabled", "card-is-partitioned"),
        ("ECC Mode", "Pending", "Disabled", "error-correction-off"),
        ("Temperature", "GPU Current Temp", "Unknown Error", "sensors-do-not-answer"),
        ("GPU Power Readings", "Instantaneous Power Draw", "ERR!", "sensors-do-not-answer"),
        ("Remapped Rows", "Pending", "Unknown Error", "sensors-do-not-answer"),
    ],
)
def test_a_card_that_is_not_sound(section: str, field: str, value: str, cause: str) -> None:
    """One thing at a time."""
    assert causes(changed(H200, section, field, value)) == [cause]


@pytest.mark.parametrize(
    ("section", "field", "value"),
    [
        ("Fabric", "State", "Completed"),
        ("Fabric", "Status", "Success"),
        ("Fabric", "Summary", "Healthy"),
        ("Fabric", "Route Recovery in progress", "True"),
        ("GPU Link Info", "Host Max", "Unknown Error"),
        ("Volatile", "DRAM Correctable", "7"),
        ("Aggregate", "DRAM Uncorrectable", "2"),
        ("Remapped Rows", "Correctable Error", "1"),
        ("Fan Speed", "Fan Speed", "ERR!"),
        ("MIG Mode", "Pending", "Enabled"),
    ],
)
def test_what_says_nothing_against_a_card(section: str, field: str, value: str) -> None:
    """The past, what heals itself, and what nobody uses."""
    assert causes(changed(H200, section, field, value)) == []


def test_a_corrupted_inforom() -> None:
    """nvidia-smi warns below its answer."""
    assert causes(f"{H200}\nWARNING: infoROM is corrupted at gpu 0000:00:06.0\n") == ["inforom-corrupted"]


def test_the_most_telling_comes_first_and_names_the_card() -> None:
    """A card beyond repair is not to be reset."""
    text = changed(H200, "Remapped Rows", "Remapping Failure Occurred", "Yes")
    text = changed(text, RECOVERY, RECOVERY, "Reset")
    found = findings(query.parse(text), wants_ecc=True)

    assert [finding.cause.partition("/")[0] for finding in found] == ["memory-beyond-repair", "card-needs-a-reset"]
    assert all("0000:00:06.0" in finding.what for finding in found)


@pytest.mark.parametrize(("single", "double", "expected"), [("30", "29", []), ("40", "20", ["memory-beyond-repair"])])
def test_more_retired_pages_than_a_card_may_have(single: str, double: str, expected: list[str]) -> None:
    """Before Ampere; both sorts count together."""
    text = changed(H200, "Retired Pages", "Single Bit ECC", single)

    assert causes(changed(text, "Retired Pages", "Double Bit ECC", double)) == expected


def test_protection_that_nobody_asks_for() -> None:
    """The cloud file says whether memory is to be protected."""
    assert causes(changed(H200, "ECC Mode", "Current", "Disabled"), wants_ecc=False) == []

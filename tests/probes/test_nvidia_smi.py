"""What nvidia-smi prints on healthy machines and on sick ones: a field that nobody reads condemns no card."""

from __future__ import annotations

import pytest
from probe_parsers import SAMPLES

from access.errors import CommandTimeout, ParseError, ToolFailure
from access.host import CommandOutput
from probes.nvidia_smi import failures, query
from probes.nvidia_smi.query import Gpu

H200 = (SAMPLES / "nvidia_smi_query/h200-580.txt").read_text()
TABLE = """Sat Nov 28 01:37:03 2026
+-----------------------------------------------------------------------------------------+
| NVIDIA-SMI 580.159.04             Driver Version: 580.159.04     CUDA Version: 13.0     |
+-----------------------------------------+------------------------+----------------------+
|   0  NVIDIA H200                    On  |   00000000:00:06.0 Off |                    0 |
+-----------------------------------------+------------------------+----------------------+
"""
TABLE_610 = TABLE.replace(
    "Driver Version: 580.159.04     CUDA Version:", "KMD Version: 610.57.04     CUDA UMD Version:"
)


def changed(field: str, value: str, text: str = H200) -> str:
    """The answer with another value in the first line of that field."""
    lines = text.split("\n")
    place = next(number for number, line in enumerate(lines) if line.strip().startswith(f"{field} "))
    lines[place] = f"{lines[place].partition(' : ')[0]} : {value}"
    return "\n".join(lines)


def card(field: str, value: str) -> Gpu:
    return query.parse(changed(field, value)).gpus[0]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Host Max", "Unknown Error"),
        ("Fan Speed", "ERR!"),
        ("Tx Throughput", "[Unknown Error]"),
        ("Minor Number", "Unknown Error"),
        ("Replay Number Rollovers", "ERR!"),
        ("Image Version", "Unknown Error"),
    ],
)
def test_an_unreadable_field_that_nobody_uses_is_none(field: str, value: str) -> None:
    """All that is used is there."""
    found = card(field, value)
    path = next(path for path in found.fields if path.split("/")[-1] == field)

    assert found.fields[path] is None
    assert (found.link_width, found.temperature_c is None, found.is_ecc_on) == ((16, 16), False, True)


@pytest.mark.parametrize(
    ("field", "value", "name", "kind"),
    [
        ("GPU Current Temp", "Unknown Error", "temperature_c", "value-unreadable"),
        ("Uncorrectable Error", "ERR!", "remapped_rows", "value-unreadable"),
        ("DRAM Uncorrectable", "[Unknown Error]", "uncorrectable_errors", "value-unreadable"),
        ("GPU Recovery Action", "Unknown Error", "recovery_action", "value-unreadable"),
        ("GPU Current Temp", "GPU is lost", "temperature_c", "gpu-lost"),
        ("GPU Current Temp", "GPU requires reset", "temperature_c", "reset-required"),
    ],
)
def test_an_unreadable_field_is_a_failure_where_it_is_used(field: str, value: str, name: str, kind: str) -> None:
    """The line is quoted, and what ails the card is told apart."""
    text = changed(field, value)
    with pytest.raises(ToolFailure) as caught:
        getattr(query.parse(text).gpus[0], name)

    assert caught.value.kind == kind
    assert value in caught.value.line


def test_a_note_behind_a_value_is_no_part_of_it() -> None:
    """Driver 610 says of its version that the field goes away."""
    note = "610.57.04 [Deprecated; will be removed in CUDA 14.0. Use KMD Version instead]"

    assert query.parse(changed("Driver Version", note)).driver_version == "610.57.04"
    assert query.parse(changed("CUDA Version", "13.3 [Deprecated. Use CUDA UMD Version]")).cuda_version == "13.3"
    assert query.parse(changed("VBIOS Version", "96.00 [will be removed]")).gpus[0].vbios == "96.00"


@pytest.mark.parametrize(
    ("section", "watts"),
    [
        ("GPU Power Readings\n        GPU Ceiling Power Limit\n            Current Power Limit : 450.00 W", 450.0),
        ("GPU Power Readings\n        Current Power Limit : 700.00 W", 700.0),
        ("Power Readings\n        Power Limit : 250.00 W", 250.0),
        ("GPU Power Readings\n        Average Power Draw : 33.10 W", None),
    ],
)
def test_the_power_limit_of_every_driver(section: str, watts: float | None) -> None:
    """It has moved twice."""
    text = (
        "==============NVSMI LOG==============\nDriver Version : 610.57.04\nAttached GPUs : 1\nGPU 00000000:00:06.0\n"
        f"    Product Name : NVIDIA H200\n    {section}\n    Processes : None\n"
    )

    assert query.parse(text).gpus[0].power_limit_w == watts


@pytest.mark.parametrize(
    ("line", "address"),
    [
        ("Unable to determine the device handle for GPU0001:00:00.0: Unknown Error", "0001:00:00.0"),
        ("Unable to determine the device handle for GPU00000002:1A:00.0: GPU is lost.", "0002:1a:00.0"),
        ("Unable to determine the device handle for gpu 0003:0b:00.0: Not Found", "0003:0b:00.0"),
        ("Unable to determine the device handle for GPU10000:01:00.0: Unknown Error", "10000:01:00.0"),
        ("Unable to determine the device handle for GPU 0A:00.0: Unknown Error", "0000:0a:00.0"),
    ],
)
def test_the_domain_of_a_card_that_does_not_answer(line: str, address: str) -> None:
    """Whether it is printed at the word before it or not."""
    found = failures.parse(line)

    assert found is not None
    assert found.address == address


@pytest.mark.parametrize(
    ("field", "value", "name", "expected"),
    [
        ("GPU Recovery Action", "Reset", "recovery_action", "Reset"),
        ("GPU Recovery Action", "None", "recovery_action", None),
        ("Channel Repair Pending", "Yes", "is_repair_pending", True),
        ("TPC Repair Pending", "Yes", "is_repair_pending", True),
        ("Channel Repair Pending", "No", "is_repair_pending", False),
        ("SRAM Threshold Exceeded", "Yes", "has_worn_out_memory", True),
        ("Unrepairable Memory", "Yes", "has_worn_out_memory", True),
        ("SRAM Threshold Exceeded", "No", "has_worn_out_memory", False),
        ("State", "Completed", "fabric_trouble", None),
        ("State", "In Progress", "fabric_trouble", "State: In Progress"),
        ("State", "Not Supported", "fabric_trouble", None),
        ("Status", "Insufficient Resources", "fabric_trouble", "Status: Insufficient Resources"),
        ("Status", "Success", "fabric_trouble", None),
        ("Summary", "Unhealthy", "fabric_trouble", "Health/Summary: Unhealthy"),
        ("Route Unhealthy", "True", "fabric_trouble", "Health/Route Unhealthy: True"),
        ("Bandwidth", "Degraded", "fabric_trouble", "Health/Bandwidth: Degraded"),
        ("Bandwidth", "Full", "fabric_trouble", None),
    ],
)
def test_what_newer_drivers_say_of_a_card(field: str, value: str, name: str, expected: object) -> None:
    """Repairs, recovery and the fabric."""
    lines = H200.split("\n")
    start = next(number for number, line in enumerate(lines) if line.startswith("    Fabric"))
    in_fabric = name == "fabric_trouble"
    head, tail = ("\n".join(lines[:start]), "\n".join(lines[start:])) if in_fabric else (H200, "")
    text = f"{head}\n{changed(field, value, tail)}" if in_fabric else changed(field, value)

    assert getattr(query.parse(text).gpus[0], name) == expected


@pytest.mark.parametrize(
    ("section", "needed"),
    [
        ("Reset Required : Yes\n        Drain and Reset Recommended : No", True),
        ("Reset Required : No\n        Drain and Reset Recommended : Yes", True),
        ("Reset Required : No\n        Drain and Reset Recommended : N/A", False),
        ("Reset Required : Requested functionality has been deprecated", None),
    ],
)
def test_a_reset_that_the_driver_asks_for(section: str, needed: bool | None) -> None:
    """Drivers 530 to 565 have a section for it."""
    text = H200.replace(
        "    GPU Recovery Action                                : None",
        f"    GPU Reset Status\n        {section}",
    )

    assert query.parse(text).gpus[0].is_reset_required is needed


class Machine:
    """A host whose nvidia-smi gives one answer, or none at all."""

    name = "guest"

    def __init__(self, answer: str | None, exit_code: int = 0) -> None:
        self.answer = answer
        self.exit_code = exit_code
        self.limits_s: list[float] = []

    def run(self, command: str, *, timeout_s: float = 60.0, as_root: bool = False) -> CommandOutput:
        self.limits_s.append(timeout_s)
        if self.answer is None:
            raise CommandTimeout(f"still running after {timeout_s:g} s", command=command, host=self.name)
        return CommandOutput(self.name, command, self.exit_code, self.answer, "", 0.1)


@pytest.mark.parametrize("text", [TABLE, TABLE_610])
def test_the_table_is_an_answer(text: str) -> None:
    """It says nothing of a failure."""
    assert failures.read(Machine(text)) is None


@pytest.mark.parametrize("text", ["", "\n", "qwertz 4711\n", TABLE[:150], "<html>502 Bad Gateway</html>\n", "PASS\n"])
def test_anything_else_is_no_answer(text: str) -> None:
    """An empty or random one says nothing, neither good nor bad."""
    with pytest.raises(ParseError):
        failures.read(Machine(text))


def test_a_tool_that_hangs_is_a_failure_that_was_waited_for_once() -> None:
    """Its own finding, after a short time."""
    machine = Machine(None)
    found = failures.read(machine)

    assert found is not None
    assert found.kind == "hangs"
    assert "Xid" in found.remedy
    assert len(machine.limits_s) == 1
    assert machine.limits_s[0] <= 60


@pytest.mark.parametrize(
    ("exit_code", "kind"), [(8, "power-cables"), (10, "interrupts"), (14, "inforom-corrupted"), (15, "gpu-lost")]
)
def test_an_exit_code_tells_what_the_table_does_not(exit_code: int, kind: str) -> None:
    """The table is printed all the same."""
    found = failures.read(Machine(TABLE, exit_code))

    assert found is not None
    assert found.kind == kind


def test_a_corrupted_inforom_leaves_the_answer_whole() -> None:
    """nvidia-smi -q ends with code 14 then; what it printed is read, and the warning kept."""
    text = f"{H200}\nWARNING: infoROM is corrupted at gpu 0000:00:06.0\n"
    found = query.read(Machine(text, 14))

    assert found.warnings == ("WARNING: infoROM is corrupted at gpu 0000:00:06.0",)
    assert found.gpus[0].product_name == "NVIDIA H200"

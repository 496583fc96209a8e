"""Copy programs: found wherever a CUDA version puts them, two tools with the same metrics, cards read under load."""

from __future__ import annotations

from pathlib import Path

import pytest

from access.errors import ParseError, ToolMissing
from access.local_host import LocalHost
from probes import cards_under_load, copy_bandwidth, nvbandwidth
from probes.cuda_samples import path_of
from probes.pci_address import PciAddress

ANSWER = Path(__file__).parent / "samples" / "nvidia_smi_query" / "h100-545.txt"
NVBANDWIDTH = """nvbandwidth Version: v0.8
Built from Git version: v0.8

CUDA Runtime Version: 12090
CUDA Driver Version: 12090
Driver Version: 575.57.08

Device 0: NVIDIA A100-PCIE-40GB (00000000:04:00)
Device 1: NVIDIA A100-PCIE-40GB (00000000:84:00)

Running host_to_device_memcpy_ce.
memcpy CE CPU(row) -> GPU(column) bandwidth (GB/s)
           0         1
 0     24.90     25.10

SUM host_to_device_memcpy_ce 50.00

Running device_to_host_memcpy_ce.
memcpy CE CPU(row) <- GPU(column) bandwidth (GB/s)
           0         1
 0     26.10     26.20

SUM device_to_host_memcpy_ce 52.30

Running device_local_copy.
memcpy local GPU(column) bandwidth (GB/s)
           0         1
 0    620.00    621.00

SUM device_local_copy 1241.00

NOTE: The reported results may not reflect the full capabilities of the platform.
Performance can vary with software drivers, hardware clocks, and system topology.
"""


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    "folder",
    [
        "NVIDIA_CUDA-9.0_Samples/1_Utilities/bandwidthTest",
        "NVIDIA_CUDA-9.0_Samples/bin/x86_64/linux/release",
        "cuda-samples/build/Samples/1_Utilities/bandwidthTest",
        "cuda-samples/Samples/5_Domain_Specific/bandwidthTest/build",
    ],
)
def test_samples_are_found_by_name_below_the_home(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder and a source file of the same name are no program."""
    monkeypatch.setenv("HOME", str(tmp_path))
    built = program(tmp_path / folder / "bandwidthTest")
    (tmp_path / "sources" / "bandwidthTest").mkdir(parents=True)

    assert path_of(LocalHost("here"), "bandwidthTest") == str(built)


def test_the_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program in the PATH is taken before one in the home directory."""
    monkeypatch.setenv("HOME", str(tmp_path))
    program(tmp_path / "nvbandwidth" / "nvbandwidth")
    installed = program(tmp_path / "bin" / "nvbandwidth")
    monkeypatch.setenv("PATH", f"{installed.parent}:/usr/bin:/bin")

    assert path_of(LocalHost("here"), "nvbandwidth") == str(installed)


def test_a_program_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that is nowhere is ToolMissing and is named."""
    monkeypatch.setenv("HOME", str(tmp_path))

    with pytest.raises(ToolMissing, match="no program p2pBandwidthLatencyTest"):
        path_of(LocalHost("here"), "p2pBandwidthLatencyTest")


def test_nvbandwidth_gives_the_metrics_of_bandwidth_test() -> None:
    """A local copy reads and writes: bandwidthTest counts both, nvbandwidth one."""
    run = copy_bandwidth.from_nvbandwidth(nvbandwidth.parse(NVBANDWIDTH), 2)

    assert run.gb_per_s == (
        {"h2d": 24.9, "d2h": 26.1, "d2d": 1240.0},
        {"h2d": 25.1, "d2h": 26.2, "d2d": 1242.0},
    )


def test_nvbandwidth_of_another_number_of_devices() -> None:
    """Figures of fewer devices than were asked for are refused."""
    with pytest.raises(ParseError, match="figures of 2 devices, 3 were asked for"):
        copy_bandwidth.from_nvbandwidth(nvbandwidth.parse(NVBANDWIDTH), 3)


def test_nvbandwidth_without_one_of_the_tests() -> None:
    """A run without one of the needed tests is refused and names the test."""
    test, note = NVBANDWIDTH.index("Running device_local"), NVBANDWIDTH.index("NOTE")
    without = NVBANDWIDTH[:test] + NVBANDWIDTH[note:]

    with pytest.raises(ParseError, match="device_local_copy"):
        copy_bandwidth.from_nvbandwidth(nvbandwidth.parse(without), 2)


def samples(*changes: tuple[str, str]) -> str:
    """Three answers of one H100, each of `changes` in one of them."""
    answer = ANSWER.read_text().split("\n", 1)[1]
    answers = [answer, answer, answer]
    for number, (old, new) in enumerate(changes):
        assert old in answer
        answers[number] = answer.replace(old, new, 1)
    return "".join(answers)


GENERATION = "Current                   : 5\n"
ADDRESS = PciAddress("0000:19:00.0")


def test_a_card_in_good_order_under_load() -> None:
    """Idle between two copies, as this answer, is no reason."""
    card = cards_under_load.parse(samples())[ADDRESS]

    assert (card.link_generation, card.link_width, card.throttle_reasons) == (5, 16, ())
    assert card.temperature_c is not None


def test_of_several_samples_the_best_link_counts() -> None:
    """One taken between two copies shows the idle link."""
    card = cards_under_load.parse(samples((GENERATION, GENERATION.replace("5", "1"))))[ADDRESS]

    assert card.link_generation == 5


def test_of_several_samples_every_throttling_counts() -> None:
    """A throttle reason in one of several samples is kept."""
    reason = "HW Thermal Slowdown           : Not Active"
    card = cards_under_load.parse(samples((reason, reason.replace("Not ", ""))))[ADDRESS]

    assert card.throttle_reasons == ("HW Thermal Slowdown",)


def test_no_answer_under_load() -> None:
    """A tool that answers nothing while data are copied is a ParseError."""
    with pytest.raises(ParseError, match="no answer under load"):
        cards_under_load.parse("NVIDIA-SMI has failed\n")

"""What tools print that are older or newer than the card, or speak another language."""

from __future__ import annotations

import pytest
from probe_parsers import SAMPLES

from access.errors import ParseError
from probes import device_query, nvidia_module

H200 = (SAMPLES / "device_query/h200-passthrough.txt").read_text()
CORES = "CUDA Cores/MP:"
VERSION = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86.15  "


@pytest.mark.parametrize(
    "note",
    [
        "MapSMtoCores for SM 12.0 is undefined.  Default to use 128 Cores/SM\n" * 2,
        "MapSMtoCores for SM 9.0 is undefined.  Default to use 64 Cores/SM\n" * 2,
        "MapSMtoCores SM 6.0 is undefined (please update to the latest SDK)!\n" * 2,
        "MapSMtoArchName for SM 10.3 is undefined.  Default to use Hopper\n",
    ],
)
def test_a_card_that_is_newer_than_the_sample(note: str) -> None:
    """The number of cores is a guess then, and not known; all else is."""
    lines = H200.splitlines(keepends=True)
    place = next(number for number, line in enumerate(lines) if CORES in line)
    found = device_query.parse("".join([*lines[:place], note, *lines[place:]]))
    whole = device_query.parse(H200)

    assert found.devices[0].cores == (None if "Cores" in note else whole.devices[0].cores)
    assert found.devices[0].multiprocessors == whole.devices[0].multiprocessors
    assert found.devices[0].memory_bytes == whole.devices[0].memory_bytes


def test_cores_that_the_sample_could_not_multiply() -> None:
    """Before CUDA 5 an unknown card had -1 of them."""
    lines = H200.splitlines(keepends=True)
    place = next(number for number, line in enumerate(lines) if CORES in line)
    lines[place] = "  (132) Multiprocessors x ( -1) CUDA Cores/MP:      -132 CUDA Cores\n"

    assert device_query.parse("".join(lines)).devices[0].cores is None


@pytest.mark.parametrize(
    "date",
    [
        "Do 12. Jun 10:11:12 CEST 2025",
        "jeu. 12 juin 2025 10:11:12 CEST",
        "2025年 06月 12日 木曜日 10:11:12 JST",
        "2025-06-12T10:11:12Z",
        "Чт 12 июн 2025 10:11:12 MSK",
        "Thu Jun 12 10:11:12 UTC 2025",
    ],
)
def test_the_date_of_a_build_is_no_reason_to_refuse_its_version(date: str) -> None:
    """Whatever language the machine spoke that built it."""
    found = nvidia_module.parse(f"{VERSION}{date}\nGCC version:  gcc version 11.4.0\n")

    assert (found.version, found.compiler) == ("570.86.15", "gcc version 11.4.0")


def test_a_version_that_may_go_on_is_refused() -> None:
    """Nothing follows it, neither a date nor a compiler."""
    for text in (VERSION.rstrip(), "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.8"):
        with pytest.raises(ParseError):
            nvidia_module.parse(text)

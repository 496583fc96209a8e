"""What an instance leaves on a card: our CUDA program writes a pattern and looks for it; nvidia-smi has the rest."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from access.errors import ParseError
from access.host import Host, output_of

FOLDER = "gpu-acceptance-residue"
FILES = ("memory_residue.cu", "Makefile")
BUILD_S, RUN_S = 300.0, 300.0
COUNTED = re.compile(r"words ([0-9]{1,18}) found ([0-9]{1,18})")
FIELDS = ("uuid", "vbios_version", "power.limit", "power.default_limit", "compute_mode", "ecc.mode.current")


@dataclass(frozen=True)
class Counted:
    """Words of 32 bits that hold the pattern."""

    words: int
    found: int


@dataclass(frozen=True)
class CardState:
    """A card as its driver reports it."""

    uuid: str
    """The same in every instance: it names the physical card."""
    vbios: str
    settings: tuple[str, ...]
    """Power limit, default power limit, compute mode, ECC mode."""


def sources() -> dict[str, str]:
    """Text by file name of the program and its Makefile."""
    return {name: (Path(__file__).parent / name).read_text(encoding="utf-8") for name in FILES}


def build(guest: Host) -> None:
    """Compile the program in FOLDER of the login user's home, where `sources` were written.

    Raises:
        CommandError: nvcc or its host compiler is missing, or refuses.
    """
    output_of(guest, f"make -C {FOLDER}", timeout_s=BUILD_S)


def parse(text: str) -> Counted:
    """Read the program's line.

    Raises:
        ParseError: it said something else.
    """
    match = COUNTED.fullmatch(text.strip())
    if match is None or int(match[1]) == 0:
        raise ParseError("memory_residue", "no count", line=text)
    return Counted(int(match[1]), int(match[2]))


def write(guest: Host, pattern: str) -> Counted:
    """Fill the memory of the guest's first card; `found` must be `words`."""
    return parse(output_of(guest, f"{FOLDER}/memory_residue write {pattern}", timeout_s=RUN_S).stdout)


def count(guest: Host, pattern: str) -> Counted:
    """Look for the pattern in memory that this instance has not written."""
    return parse(output_of(guest, f"{FOLDER}/memory_residue count {pattern}", timeout_s=RUN_S).stdout)


def parse_state(text: str) -> CardState:
    """Read one row of nvidia-smi's CSV.

    Raises:
        ParseError: not one row of the fields we asked for.
    """
    rows = [[word.strip() for word in line.split(",")] for line in text.splitlines() if line.strip()]
    if len(rows) != 1 or len(rows[0]) != len(FIELDS):
        raise ParseError("nvidia-smi", "not one row for one card", line=text[:200])
    return CardState(rows[0][0], rows[0][1], tuple(rows[0][2:]))


def state(guest: Host) -> CardState:
    """The state of the guest's only card."""
    return parse_state(
        output_of(guest, f"nvidia-smi --query-gpu={','.join(FIELDS)} --format=csv,noheader,nounits").stdout
    )


def limit_power(guest: Host, current: CardState) -> None:
    """Lower the power limit by a tenth: harmless, and gone after a reset.

    Raises:
        CommandError: the card refuses it.
    """
    watts = int(float(current.settings[1]) * 0.9)
    output_of(guest, f"nvidia-smi -pl {watts}", as_root=True)

"""A load of all cards of one machine that checks its results: the payload that runs there, and what it wrote.

Our own CUDA program writes patterns over nearly all memory and multiplies matrices; gpu_burn and `dcgmi diag` work
where they are installed. Before and after, what the driver counts; meanwhile, temperature, power and clocks.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from access.errors import ParseError, ToolMissing
from access.host import Host
from probes.cuda_samples import IN_BUS_ORDER, path_of, refuse_failures
from probes.gpu_burn import NAMES
from probes.reading import transcript_of

TOOL = "card_load"
FILES = ("card_load.cu", "Makefile")
WRITTEN = (
    *("steps", "build", "before", "after", "samples", "alone", "copies", "checks", "burn", "dcgm"),
    *("links", "links_after", "stderr"),
)
"""What a payload writes; what is not there it could not do."""
SAMPLES = 40
"""At most so many looks at the cards while they work."""
ALONE_S = 2
BUILD_S = 300.0
CHECKED = re.compile(
    r"card_load check device ([0-9]{1,3}) seconds ([0-9.]{1,12}) bytes ([0-9]{1,18}) passes ([0-9]{1,18}) "
    r"bits ([0-9]{1,18}) products ([0-9]{1,18}) wrong ([0-9]{1,18}) digest ([0-9a-f]{16}) gflops ([0-9.]{1,14})"
)
COPIED = re.compile(r"card_load copy device ([0-9]{1,3}) seconds ([0-9.]{1,12}) h2d ([0-9.]{1,12}) d2h ([0-9.]{1,12})")
PROGRESS = re.compile(r"card_load device [0-9]{1,3} after [0-9]{1,9} s: bits [0-9]{1,18} wrong [0-9]{1,18}")
STEP = re.compile(r"([a-z]{1,20}) ([0-9]{1,12})")
BUILD = "make >build 2>&1 || true"
ALONE = (
    "cd {folder} && {{ [ -e alone ] || {{ {build}; n=0; : >alone.new; "
    "while [ $n -lt $(nvidia-smi -L | grep -c '^GPU ') ]; do {order} ./card_load copy $n {seconds} >>alone.new 2>&1; "
    "n=$((n+1)); done; mv alone.new alone; }}; }}"
)
"""One card after another, while nothing else works on this host."""
PAYLOAD = """
export {order} LC_ALL=C PATH="$PATH:/usr/sbin:/sbin"
cards=$(nvidia-smi -L | grep -c '^GPU ')
step() {{ echo "$1 $(date +%s)" >>steps; }}
each() {{  # MODE SECONDS FILE: on all cards at once
  pids=; n=0
  while [ $n -lt $cards ]; do ./card_load $1 $n $2 >"$3.$n" 2>&1 & pids="$pids $!"; n=$((n+1)); done
  wait $pids
  cat "$3".* >"$3"
}}
look() {{
  pause=1
  while [ -e working ]; do
    nvidia-smi -q -d TEMPERATURE,POWER,CLOCK,PERFORMANCE >>samples 2>&1
    sleep $pause
    [ $pause -ge {longest_pause} ] || pause=$((pause*2))
  done
}}
[ -x card_load ] || {build}
nvidia-smi -q >before 2>&1
nvidia-smi nvlink -e >links 2>&1
step copies
[ ! -x card_load ] || each copy {copies_s} copies
: >working; look & looking=$!
step load
[ ! -x card_load ] || each check {own_s} checks
step burn
{burn}
step loaded
rm -f working; kill $looking 2>/dev/null
nvidia-smi -q >after 2>&1
nvidia-smi nvlink -e >links_after 2>&1
step dcgm
{dcgm}
step end
"""
BURN = """
(cd "$(dirname {path})" && {path} {seconds}) 2>&1 | tr '\\r' '\\n' | awk '
  /proc.d: / {{ last = $0; if (n++ % 500 == 0 || ($0 !~ /errors: [-0 \\/]*temps/ && wrong++ < 200)) print; next }}
  {{ print }} END {{ print last }}' >burn
"""
DCGM = "! command -v dcgmi >/dev/null || dcgmi diag -r {level} -j >dcgm 2>&1"


@dataclass(frozen=True)
class Plan:
    """How long what runs."""

    copies_s: int
    own_s: int
    """Our own program's memory patterns and products."""
    burn_s: int
    """gpu_burn; 0 where it is not installed."""
    burn_path: str
    """Its quoted path; "" where it is not installed."""
    dcgm: int
    """Level of `dcgmi diag`."""


@dataclass(frozen=True)
class Checked:
    """What our program computed and read on one card."""

    device: int
    seconds: float
    memory_bytes: int
    passes: int
    """How often each bit of that memory held a 0 and a 1."""
    wrong_words: int
    """Words of memory that did not hold what was written."""
    products: int
    wrong_products: int
    """Products that differ from the card's first one."""
    digest: str
    """Of the first product: equal on all cards of one model."""
    gflop_per_s: float


@dataclass(frozen=True)
class Copied:
    """Copies between one card and its machine's memory, 10^9 bytes in a second."""

    device: int
    seconds: float
    h2d_gb_per_s: float
    d2h_gb_per_s: float


Card = TypeVar("Card", Checked, Copied)


def burn_path(host: Host) -> str:
    """Quoted path of gpu_burn; "" where it is not installed."""
    try:
        return path_of(host, *NAMES)
    except ToolMissing:
        return ""


def sources() -> dict[str, str]:
    """Text by file name of the program and its Makefile."""
    return {name: (Path(__file__).parent / name).read_text(encoding="utf-8") for name in FILES}


def payload(plan: Plan) -> str:
    """The shell script that works all cards of a machine, in its payload's folder."""
    total_s = plan.own_s + plan.burn_s
    burn = BURN.format(path=plan.burn_path, seconds=plan.burn_s).strip() if plan.burn_path and plan.burn_s else ":"
    return PAYLOAD.format(
        order=IN_BUS_ORDER,
        build=BUILD,
        longest_pause=max(2, total_s // SAMPLES),
        copies_s=plan.copies_s,
        own_s=plan.own_s,
        burn=burn,
        dcgm=DCGM.format(level=plan.dcgm),
    ).lstrip()


def alone(folder: str) -> str:
    """The command that builds the program in a payload's folder and copies with one card after another."""
    return ALONE.format(folder=f'"$HOME"/{shlex.quote(folder)}', build=BUILD, order=IN_BUS_ORDER, seconds=ALONE_S)


def parse_checks(text: str) -> tuple[Checked, ...]:
    """Read the lines of all cards.

    Raises:
        ToolFailure: CUDA refused.
        ParseError: another shape, or a card twice.
    """
    return _of_each_card(CHECKED, text, _checked)


def _checked(match: re.Match[str]) -> Checked:
    return Checked(
        device=int(match[1]),
        seconds=float(match[2]),
        memory_bytes=int(match[3]),
        passes=int(match[4]),
        wrong_words=int(match[5]),
        products=int(match[6]),
        wrong_products=int(match[7]),
        digest=match[8],
        gflop_per_s=float(match[9]),
    )


def parse_copies(text: str) -> tuple[Copied, ...]:
    """Read the lines of all cards.

    Raises:
        ToolFailure: CUDA refused.
        ParseError: another shape, or a card twice.
    """
    return _of_each_card(COPIED, text, _copied)


def _copied(match: re.Match[str]) -> Copied:
    return Copied(int(match[1]), *(float(match[group]) for group in (2, 3, 4)))


def parse_steps(text: str) -> Mapping[str, int]:
    """Read when each step began: name to seconds of the machine's clock.

    Raises:
        ParseError: another shape, or a step twice.
    """
    found: dict[str, int] = {}
    for number, line in enumerate(transcript_of("steps", text, TOOL), start=1):
        match = STEP.fullmatch(line)
        if match is None or match[1] in found:
            raise ParseError("steps", "not a step, or one twice", line=line, line_number=number)
        found[match[1]] = int(match[2])
    return found


def _lines(text: str) -> list[str]:
    lines = transcript_of(TOOL, text, TOOL)
    refuse_failures(TOOL, lines)
    return [line for line in lines if line.strip() and not PROGRESS.fullmatch(line)]


def _of_each_card(pattern: re.Pattern[str], text: str, read: Callable[[re.Match[str]], Card]) -> tuple[Card, ...]:
    """One line for each card, in the order of the devices."""
    found = []
    for number, line in enumerate(_lines(text), start=1):
        match = pattern.fullmatch(line)
        if match is None:
            raise ParseError(TOOL, "not a line that we know", line=line, line_number=number)
        found.append(read(match))
    devices = {each.device for each in found}
    if not found or len(devices) < len(found):
        raise ParseError(TOOL, "no card, or one twice", line=text[:200])
    return tuple(sorted(found, key=lambda each: each.device))

"""Writes docs/symptoms.md from the fault catalogue: symptom first, as people search for it.

python -m faults describe [SCORES.json] [--metal SCORES.json]   # with scores of `make faults`: docs/score.md, too
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from faults.fault import CATALOGUE, Fault, load
from faults.score import Score, summary
from lab.paths import REPOSITORY

TARGET = REPOSITORY / "docs" / "symptoms.md"
SCORE = REPOSITORY / "docs" / "score.md"
SCORE_HEAD = """# The score

Each fault of the catalogue is put into a lab (`make faults`), the acceptance runs, and what it says is judged: found, \
its root
cause named, nothing else blamed. *Excluded* counts the look-alikes that the report rules out by checks that passed. \
Seconds are
those of injection, acceptance and repair on two processors that three labs shared,
beside other work. Made by `python -m faults describe`.
"""
FIRST_TRY = Path(__file__).with_name("first_try.yaml")
FIRST_TRY_HEAD = """\
A catalogue is a measure of what is known. These are kinds that were tried before anything was made for them; what was \
missed
has been corrected since (`faults/first_try.yaml`).
"""
BOTH_HEAD = """\
The same faults put into a host with a kernel, GRUB, libvirt and Nova driver of its own, as its operator would commit \
them
(`python -m faults metal`, [metal.md](metal.md)), and judged by the suites of hosts and control plane.
"""
HEAD = """# Symptoms

What is seen when GPU passthrough does not work, what causes it, which check of this suite finds it, and what to do. \
Made by
`python -m faults describe` from `faults/catalogue`; each entry is put into a lab and found by `make faults`.
"""


def text() -> str:
    """The page."""
    faults = sorted((load(path) for path in CATALOGUE.glob("*.yaml")), key=lambda fault: fault.symptom.lower())
    broken = [entry(fault) for fault in faults if fault.expect]
    healthy = [f"- {fault.title}" + _seen(fault) for fault in faults if not fault.expect]
    return "\n".join([HEAD, *broken, "## No fault at all", "", *healthy, ""])


def entry(fault: Fault) -> str:
    """One fault."""
    checks = ", ".join(f"`{item.check}`" + (f" ({item.cause})" if item.cause else "") for item in fault.expect)
    lines = [f"## {fault.symptom}", "", f"- **Cause:** {fault.title}", f"- **Found by:** {checks}"]
    lines += [f"- **What to do:** {fault.remedy}"] if fault.remedy else []
    lines += [f"- **Seen at:** {source}" for source in fault.sources]
    return "\n".join([*lines, ""])


def _seen(fault: Fault) -> str:
    return "" if fault.variant else f" (seen as: {fault.symptom})"


def score_text(scores: Sequence[Score], metal: Sequence[Score] = ()) -> str:
    """The page of one run's scores; beside it those of the metal tier."""
    rows = ["| fault | found | cause | excluded | extra blame | seconds |", "|---|---|---|---|---|---|"]
    for item in sorted(scores, key=lambda item: (item.is_healthy, item.fault)):
        rows.append(f"| {item.fault} | {_said(item)} | {item.ruled_out} | {_cost(item)} |")
    figures = [f"- {line}" for line in summary(scores).splitlines()]
    parts = [SCORE_HEAD, *figures, "", *_first_tries(), "", *_both_tiers(scores, metal), "## The catalogue", "", *rows]
    return "\n".join([*parts, ""])


def _said(item: Score) -> str:
    """Two cells: whether it was found, whether the cause is right."""
    if item.is_healthy:
        return ("green" if item.is_right else "**false alarm**") + " | "
    return ("yes" if item.found else "**no**") + " | " + ("right" if item.cause_right else "**wrong**")


def _cost(item: Score) -> str:
    """Two cells: what was blamed besides, and the seconds."""
    return f"{', '.join(item.extra)[:120]} | {item.seconds:.0f}"


def _both_tiers(scores: Sequence[Score], metal: Sequence[Score]) -> list[str]:
    """Faults that were put into an emulated host and into one with a kernel, libvirt and Nova's driver of its own."""
    if not metal:
        return []
    emulated = {item.fault: item for item in scores}
    rows = [
        f"| {item.fault} | {_said(emulated[item.fault])} | {_said(item)} | {_cost(item)} |"
        for item in sorted(metal, key=lambda item: item.fault)
    ]
    right = sum(item.is_right for item in metal)
    return [
        *("## Both tiers", "", BOTH_HEAD, f"- {right} of {len(metal)} right on the metal tier", ""),
        "| fault | emulated: found | cause | metal: found | cause | extra blame | seconds |",
        *("|---|---|---|---|---|---|---|", *rows, ""),
    ]


def _first_tries() -> list[str]:
    """A catalogue that is known is soon found in whole; what tells more is how much was right before it was known."""
    entries: list[dict[str, Any]] = yaml.safe_load(FIRST_TRY.read_text(encoding="utf-8"))
    rows = [f"| {entry['what']} | {entry['tried']} | {entry['right']} |" for entry in entries]
    return ["## At the first try", "", FIRST_TRY_HEAD, "| what | tried | right |", "|---|---|---|", *rows]


def read_scores(file: Path) -> list[Score]:
    """What `python -m faults run --json` wrote."""
    entries: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    lists = ("extra", "rows")
    return [Score(**(item | {key: tuple(item[key]) for key in lists if key in item})) for item in entries]


def write(scores: Path | None, metal: Path | None = None) -> None:
    """Write docs/symptoms.md, and docs/score.md if there is a file of scores."""
    if scores is not None:
        page = score_text(read_scores(scores), read_scores(metal) if metal else ())
        SCORE.write_text(page, encoding="utf-8")
    TARGET.write_text(text(), encoding="utf-8")

"""Writes docs/symptoms.md from the fault catalogue: symptom first, as people search for it.

python faults/describe.py [SCORE.json]   # with the scores of `make faults`: docs/score.md and remedies, too
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from faults.fault import CATALOGUE, Fault, load  # noqa: E402
from faults.score import Score, summary  # noqa: E402

TARGET = ROOT / "docs" / "symptoms.md"
SCORE = ROOT / "docs" / "score.md"
SCORE_HEAD = """# The score

Each fault of the catalogue is put into a lab (`make faults`), the acceptance runs, and what it says is judged: found, its root
cause named, nothing else blamed. *Excluded* counts the look-alikes that the report rules out by checks that passed. Seconds are
those of injection, acceptance and mending on two processors that three labs shared. Made by `faults/describe.py`.
"""
HEAD = """# Symptoms

What is seen when GPU passthrough does not work, what causes it, which check of this suite finds it, and what to do. Made by
`faults/describe.py` from `faults/catalogue`; each entry is put into a lab and found by `make faults`.
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
    lines += [f"- **Met in life:** {source}" for source in fault.sources]
    return "\n".join([*lines, ""])


def _seen(fault: Fault) -> str:
    return "" if fault.variant else f" (seen as: {fault.symptom})"


def score_text(scores: Sequence[Score]) -> str:
    """The page of one run's scores."""
    rows = ["| fault | found | cause | excluded | extra blame | seconds |", "|---|---|---|---|---|---|"]
    for item in sorted(scores, key=lambda item: (item.is_healthy, item.fault)):
        found, cause = ("yes" if item.found else "**no**"), ("right" if item.cause_right else "**wrong**")
        if item.is_healthy:
            found, cause = "green" if item.is_right else "**false alarm**", ""
        extra = ", ".join(item.extra)[:120]
        rows.append(f"| {item.fault} | {found} | {cause} | {item.ruled_out} | {extra} | {item.seconds:.0f} |")
    figures = [f"- {line}" for line in summary(scores).splitlines()]
    return "\n".join([SCORE_HEAD, *figures, "", *rows, ""])


def read_scores(file: Path) -> list[Score]:
    """What `python -m lab fault run --json` wrote."""
    entries: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    lists = ("extra", "rows")
    return [Score(**(item | {key: tuple(item[key]) for key in lists if key in item})) for item in entries]


def fill_remedies(scores: Sequence[Score]) -> None:
    """Put what the report told to do into files that say nothing of it themselves."""
    told = {item.fault: item.fix for item in scores}
    for path in CATALOGUE.glob("*.yaml"):
        content = path.read_text(encoding="utf-8")
        data = yaml.safe_load(content)
        fix = told.get(data["id"], "")
        if fix and not data.get("remedy"):
            first, rest = content.split("inject:", 1)
            line = json.dumps(fix, ensure_ascii=False)
            path.write_text(f"{first}remedy: {line}\ninject:{rest}", encoding="utf-8")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        scores = read_scores(Path(argument))
        fill_remedies(scores)
        SCORE.write_text(score_text(scores), encoding="utf-8")
    TARGET.write_text(text(), encoding="utf-8")

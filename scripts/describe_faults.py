"""Writes docs/symptoms.md from the fault catalogue: symptom first, as people search for it.

python scripts/describe_faults.py [SCORE.json]   # with the scores of `python -m lab fault run --json`, fills remedies
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from lab.faults.fault import CATALOGUE, Fault, load  # noqa: E402

TARGET = ROOT / "docs" / "symptoms.md"
HEAD = """# Symptoms

What is seen when GPU passthrough does not work, what causes it, which check of this suite finds it, and what to do. Made by
`scripts/describe_faults.py` from `lab/faults/catalogue`; each entry is put into a lab and found by `make faults`.
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


def fill_remedies(scores: Path) -> None:
    """Put what the report told to do into files that say nothing of it themselves."""
    told = {item["fault"]: item["fix"] for item in json.loads(scores.read_text(encoding="utf-8"))}
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
        fill_remedies(Path(argument))
    TARGET.write_text(text(), encoding="utf-8")

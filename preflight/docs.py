"""docs/preflight.md, made from the catalogue and its examples, so that it cannot be out of date unseen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from preflight.cli import inspect
from preflight.finding import Finding, Rule
from preflight.rules import MODULES

EXAMPLES = Path(__file__).parents[1] / "tests" / "preflight" / "examples"
HEAD = Path(__file__).with_name("page_head.md")
"""What stands before the codes: options, exit codes, what is read of each deployer, examples for CI."""


def page() -> str:
    """The whole page as Markdown."""
    return "\n".join(
        [HEAD.read_text(encoding="utf-8"), *(_group(module.__doc__ or "", list(module.RULES)) for module in MODULES)]
    )


def _group(text: str, rules: list[Rule]) -> str:
    blocks = [_entry(rule) for rule in sorted(rules, key=lambda rule: rule.code)]
    return "\n".join([f"## {text.splitlines()[0].rstrip('.')}\n", *blocks])


def _entry(rule: Rule) -> str:
    finding = example(rule.code)
    return "\n".join(
        [
            f"### {rule.code}: {rule.title}\n",
            f"- **severity** {rule.severity}",
            f"- **seen as** {rule.seen_as}",
            f"- **why**, for example: {finding.why}",
            f"- **instead** {finding.instead}",
            f"- **more** <{rule.link}>\n",
        ]
    )


def example(code: str) -> Finding:
    """The first finding in the failing example of a rule."""
    folder = EXAMPLES / code
    file = folder / "release"
    release = file.read_text(encoding="utf-8").strip() if file.exists() else "queens"
    found = inspect([folder / "bad"], None if release == "none" else release)[1]
    return _without_paths(next(finding for finding in found if finding.code == code), folder / "bad")


def _without_paths(finding: Finding, folder: Path) -> Finding:
    def relative(text: str) -> str:
        return text.replace(f"{folder}/", "").replace(str(folder), ".")

    return replace(finding, why=relative(finding.why), instead=relative(finding.instead))

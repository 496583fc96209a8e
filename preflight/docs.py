"""docs/preflight.md, made from the catalogue and its examples, so that it cannot be out of date unseen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from preflight.cli import inspect
from preflight.finding import Finding, Rule
from preflight.rules import MODULES

EXAMPLES = Path(__file__).parents[1] / "tests" / "preflight" / "examples"
HEAD = """# Preflight

A deploy takes an hour and a half and then says "No valid host was found". Most causes stand in the files before it
starts. Preflight reads them in seconds and needs no cloud:

    python -m preflight DIR…                # any directory of environment files, scripts, Heat templates
    pytest suites/preflight --cloud NAME    # what would be deployed for clouds/NAME.yaml

It is the first step of every provisioning, too: errors end it before the deploy, warnings are shown.

| option | meaning |
|---|---|
| `--release NAME` | OpenStack release of the files; else a directory's name tells it (`ocata-gpu`) |
| `--cpu-vendor intel` | vendor of the GPU hosts' processors; else the cloud file among the files tells it |
| `--format text`, `json`, `sarif`, `junit` | for people, programs, code review, Jenkins |
| `--strict` | warnings fail, too |
| `--fix` | print a patch of the safe fixes: `… --fix > fix.patch && git apply fix.patch` |

Exit codes: 0 nothing found, 1 an error found, 64 nothing to read.

It reads what `openstack overcloud deploy` would read: the `*.yaml` files directly in each `--environment-directory`, in
sorted order, then each `-e` file in the order given; later files win, mappings are merged, lists are replaced. Beside
that: roles files, first-boot and Heat templates, deploy and image scripts, nova.conf, rc files, instackenv.json, cloud
files. shellcheck's errors are given under its own codes (SC…).

What is not among the files is not judged: a whitelist without aliases may be half of a setup. Together with the script
that deploys them the files are taken for the whole.

This page is made by scripts/write_preflight_docs.py from the rules and from tests/preflight/examples,
which has files that fail and files that pass for each code.
"""


def page() -> str:
    """The whole page as Markdown."""
    return "\n".join([HEAD, *(_group(module.__doc__ or "", list(module.RULES)) for module in MODULES)])


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

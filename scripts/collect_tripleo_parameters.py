"""Read which parameters each TripleO release declares, from unpacked tripleo-heat-templates sources.

    python scripts/collect_tripleo_parameters.py newton=DIR ocata=DIR … > preflight/data/parameters.yaml

Each DIR is an unpacked sdist of tripleo-heat-templates, or the end of its branch: vendors follow the branches, which
went on after the last release (`git archive queens-eol` of openstack-archive/tripleo-heat-templates; Wallaby has
stable/wallaby). DIR,DIR are taken together. A name is given with the first and the last of the releases that
declare it; `{role}` and `{network}` stand for the name of a role or network where templates make one parameter for
each.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

PARAMETERS_BLOCK = re.compile(r"^parameters:[^\n]*\n(.*?)(?=^\S|\Z)", re.M | re.S)
NAME = re.compile(r"^  ((?:[A-Za-z0-9_]|\{\{[^}\n]*\}\})+):", re.M)
COMMENTED = re.compile(r"^#[^\n]*\n?|^\{%[^\n]*%\}\n?|\{#.*?#\}\n?", re.M | re.S)
PLACEHOLDERS = (
    (re.compile(r"\{\{ *role(?:\.name)? *\}\}"), "{role}"),
    (re.compile(r"\{\{ *network(?:\.name)? *\}\}"), "{network}"),
)


def declared(source: Path) -> set[str]:
    """Names of the parameters that any template below `source` declares."""
    names: set[str] = set()
    for path in sorted([*source.rglob("*.yaml"), *source.rglob("*.j2")]):
        text = COMMENTED.sub("", path.read_text(encoding="utf-8", errors="replace"))
        for block in PARAMETERS_BLOCK.findall(text):
            names.update(_with_placeholders(name) for name in NAME.findall(block))
    return {name for name in names if "{{" not in name}


def _with_placeholders(name: str) -> str:
    for pattern, placeholder in PLACEHOLDERS:
        name = pattern.sub(placeholder, name)
    return name


def main(arguments: list[str]) -> None:
    """Print the table for RELEASE=DIR[,DIR] arguments given in the order of the releases."""
    releases = [argument.split("=", 1) for argument in arguments]
    seen: dict[str, list[str]] = {}
    for release, directories in releases:
        for name in set().union(*(declared(Path(directory)) for directory in directories.split(","))):
            seen.setdefault(name, []).append(release)
    print("# Made by scripts/collect_tripleo_parameters.py from the sources of tripleo-heat-templates; do not edit.")
    print("sources:")
    for release, directories in releases:
        print(f"  {release}: [{', '.join(Path(directory).name for directory in directories.split(','))}]")
    print("parameters:")
    for name, found in sorted(seen.items()):
        print(f'  "{name}": [{found[0]}, {found[-1]}]')


main(sys.argv[1:])

"""Read which scheduler filters each Nova release has, from its wheels.

python scripts/collect_nova_filters.py newton=WHEEL ocata=WHEEL … > preflight/data/filters.yaml
"""

from __future__ import annotations

import re
import sys
import zipfile
from pathlib import Path

FILTER_CLASS = re.compile(r"^class ([A-Z]\w*Filter)\(", re.M)
FOLDER = "nova/scheduler/filters/"


def filters(wheel: Path) -> set[str]:
    """Names of the filter classes in one wheel of Nova."""
    with zipfile.ZipFile(wheel) as archive:
        sources = [name for name in archive.namelist() if name.startswith(FOLDER) and name.endswith(".py")]
        return {found for name in sources for found in FILTER_CLASS.findall(archive.read(name).decode())}


def main(arguments: list[str]) -> None:
    """Print each filter with the first and last of the RELEASE=WHEEL arguments that have it."""
    releases = [argument.split("=", 1) for argument in arguments]
    seen: dict[str, list[str]] = {}
    for release, wheel in releases:
        for name in filters(Path(wheel)) - {"BaseHostFilter"}:
            seen.setdefault(name, []).append(release)
    print("# Made by scripts/collect_nova_filters.py from the wheels of Nova; do not edit.")
    print("sources:")
    for release, wheel in releases:
        print(f'  "{release}": {"-".join(Path(wheel).name.split("-")[:2])}')
    print("filters:")
    for name, found in sorted(seen.items()):
        print(f'  {name}: ["{found[0]}", "{found[-1]}"]')


main(sys.argv[1:])

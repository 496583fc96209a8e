"""Begins a release: the version into pyproject.toml, the lines of *Unreleased* below it. Prints what to do then.

python scripts/release.py 0.2.0
"""

from __future__ import annotations

import datetime
import re
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
VERSION = re.compile(r"^(\d+)\.(\d+)\.(\d+)$")
LINE = re.compile(r'^version = "(?P<version>[^"]+)"$', re.MULTILINE)
HEADING = "## Unreleased\n"


class NotReleasable(Exception):
    """What stands in the files allows no such release."""


def changed(pyproject: str, changelog: str, version: str, day: datetime.date) -> tuple[str, str]:
    """Both files with the new version.

    Raises:
        NotReleasable: it is no version, not a newer one, or nothing has changed.
    """
    declared = LINE.search(pyproject)
    if declared is None or not VERSION.match(version):
        raise NotReleasable(f"{version} is no version like 1.2.3")
    older = tuple(map(int, declared["version"].split(".")))
    if tuple(map(int, version.split("."))) <= older and f"## {version} " in changelog:
        raise NotReleasable(f"{version} was released already")
    if tuple(map(int, version.split("."))) < older:
        raise NotReleasable(f"{version} is older than {declared['version']}")
    before, found, after = changelog.partition(HEADING)
    if not found or not after.split("\n## ")[0].strip():
        raise NotReleasable("nothing stands below Unreleased in CHANGELOG.md: there is nothing to release")
    made = f"{before}{HEADING}\n## {version} - {day.isoformat()}\n{after}"
    return LINE.sub(f'version = "{version}"', pyproject, count=1), made


def main(version: str) -> int:
    """Write them."""
    files = [REPOSITORY / "pyproject.toml", REPOSITORY / "CHANGELOG.md"]
    try:
        texts = changed(*(file.read_text(encoding="utf-8") for file in files), version, datetime.date.today())
    except NotReleasable as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for file, text in zip(files, texts, strict=True):
        file.write_text(text, encoding="utf-8")
    print(f'git commit -am "Release {version}" && git tag -a v{version} -m "Release {version}" && make bundle')
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]) if len(sys.argv) == 2 else 64)

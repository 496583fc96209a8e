"""Measure preflight: 1,000 files of the kinds that a deployment has.

    python scripts/bench_preflight.py [FILES]

Writes the files to a temporary directory: environments, templates, scripts of this project's size, half of them with
mistakes. Prints one line; asserts nothing.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from preflight.cli import inspect  # noqa: E402

EXAMPLES = REPOSITORY / "tests" / "preflight" / "examples"


def main(count: int) -> None:
    """Copy the examples until there are `count` files, and inspect them."""
    examples = sorted(path for path in EXAMPLES.rglob("*") if path.is_file())
    with tempfile.TemporaryDirectory(prefix="bench-preflight-") as folder:
        for number in range(count):
            source = examples[number % len(examples)]
            target = Path(folder, str(number // len(examples)), source.relative_to(EXAMPLES))
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        started = time.monotonic()
        files, findings = inspect([Path(folder)], "queens")
        print(f"{len(files.texts)} files, {len(findings)} findings: {time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)

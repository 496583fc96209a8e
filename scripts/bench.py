"""Measure the main job: time from nothing, on a running lab, with two workers; memory of the lab at rest.

    python scripts/bench.py

Uses a lab of its own in a temporary directory. Prints one line a figure; asserts nothing.
"""

from __future__ import annotations

import os
import pstats
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
SHARES = {
    "hiding secrets, profiled": ("access/redaction.py", {"without_secrets"}),
    "chaining records, profiled": ("reports/chain.py", {"linked", "follow"}),
}
"""What is paid for records that can be shown and trusted: a file, and its functions that others call."""


def main() -> None:
    """Run the job three times and print what it took."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        home = Path(folder)
        (home / "cache").symlink_to(REPOSITORY / ".lab" / "cache")
        cloud = home / "bench.yaml"
        text = (REPOSITORY / "clouds" / "lab.yaml").read_text(encoding="utf-8")
        cloud.write_text(f"{text}\nruns_directory: {home / 'runs'}\n", encoding="utf-8")
        environment = {**os.environ, "GPU_LAB_HOME": str(home)}
        suites = [sys.executable, "-m", "pytest", "suites/", "--cloud", str(cloud), "-q"]
        try:
            _time("from installed packages, no lab", suites, environment)
            _time("on a running lab", suites, environment)
            _time("on a running lab, two workers", [*suites, "-n", "2"], environment)
            _shares([*suites], environment, home / "profile")
            status = subprocess.run(
                [sys.executable, "-m", "lab", "status"],
                cwd=REPOSITORY,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            print(f"{'lab at rest':34} {status.stdout.splitlines()[-1].split(maxsplit=1)[-1]}")
        finally:
            subprocess.run([sys.executable, "-m", "lab", "destroy"], cwd=REPOSITORY, env=environment, check=False)


def _time(what: str, command: list[str], environment: dict[str, str]) -> None:
    started = time.monotonic()
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, check=False)
    print(f"{what:34} {time.monotonic() - started:6.1f} s, exit code {done.returncode}", flush=True)


def _shares(command: list[str], environment: dict[str, str], file: Path) -> None:
    """What hiding secrets and chaining records cost in one and the same run, of its whole time."""
    profiled = [command[0], "-m", "cProfile", "-o", str(file), "-m", *command[2:]]
    started = time.monotonic()
    subprocess.run(profiled, cwd=REPOSITORY, env=environment, capture_output=True, check=False)
    whole_s = time.monotonic() - started
    calls = vars(pstats.Stats(str(file)))["stats"]
    for what, (source, names) in SHARES.items():
        spent_s = sum(spent[3] for (path, _, name), spent in calls.items() if path.endswith(source) and name in names)
        print(f"{what:34} {spent_s:6.2f} s of {whole_s:.1f} s, {100 * spent_s / whole_s:.1f} %", flush=True)


if __name__ == "__main__":
    main()

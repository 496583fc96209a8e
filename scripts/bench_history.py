"""Measure the trend of a year of nights of 1,000 hosts: ten million figures in one history.

    python scripts/bench_history.py [--hosts 1000] [--nights 365] [--changed 0.01] [--keep FILE]

Time, processor time and memory of `python -m reports trend --html`. Prints one line a figure and its limit; the exit
code is 1 where one is over its limit.
"""

from __future__ import annotations

import argparse
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPOSITORY)]

from reports.history.database import open_file  # noqa: E402  # the path above leads to it

CARDS = 8
METRICS = (("bandwidth.d2d", 2000.0), ("bandwidth.d2h", 55.0), ("bandwidth.h2d", 54.0))
HALF_PAIRS = ("0-1", "2-3", "4-5", "6-7")
PAIR = ("bandwidth.p2p_nvlink", 370.0)
NOISE = 0.004
DROP = 0.97
FIRST = datetime(2025, 12, 1, 2, tzinfo=UTC)
LIMITS = {"time": 60.0, "memory": 4096.0}


def main() -> int:
    """Make the history, and ask it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--nights", type=int, default=365)
    parser.add_argument("--changed", type=float, default=0.01, help="share of series that become slower")
    parser.add_argument("--keep", type=Path, help="make the history here, or measure the one that is there")
    given = parser.parse_args()
    load, processors = os.getloadavg()[0], os.cpu_count() or 1
    print(f"load of the machine before: {load:.1f} on {processors} processors")
    with tempfile.TemporaryDirectory(prefix="bench-history-") as folder:
        file = given.keep or Path(folder) / "history.db"
        if not file.exists():
            _make(file, given.hosts, given.nights, given.changed)
        return _measure(file, Path(folder) / "trend.html", alone=load <= processors / 2)


def _measure(file: Path, html: Path, *, alone: bool) -> int:
    with sqlite3.connect(file) as history:
        figures = history.execute("SELECT count(*) FROM figures").fetchone()[0]
    print(f"{'figures':34} {figures:12,}, {file.stat().st_size / 2**20:.0f} MiB")
    command = [
        sys.executable,
        "-m",
        "reports",
        "trend",
        "--cloud",
        "made",
        "--database",
        str(file),
        "--html",
        str(html),
    ]
    started = time.monotonic()
    done = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True)
    took_s = time.monotonic() - started
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(next(line for line in done.stdout.splitlines() if line.startswith("made:")))
    over = {"time": alone and took_s > LIMITS["time"], "memory": used.ru_maxrss / 1024 > LIMITS["memory"]}
    print(f"{'trend is told in':34} {took_s:8.1f} s   (at most {LIMITS['time']:g}){'  OVER' if over['time'] else ''}")
    print(f"{'with processor time of':34} {used.ru_utime + used.ru_stime:8.1f} s")
    print(f"{'with memory of':34} {used.ru_maxrss / 1024:8.0f} MiB (at most {LIMITS['memory']:g})")
    print(f"{'page':34} {html.stat().st_size / 2**20:8.1f} MiB")
    return int(any(over.values()))


def _make(file: Path, hosts: int, nights: int, changed: float) -> None:
    open_file(file).close()
    random = np.random.default_rng(7)
    series = list(_series(hosts))
    levels = np.array([level for *_, level in series])
    since = np.where(
        random.random(len(series)) < changed, random.integers(20, max(nights - 20, 21), len(series)), nights
    )
    with sqlite3.connect(file) as history:
        history.execute("PRAGMA synchronous = OFF")
        for night in range(nights):
            run, started = f"made-{night:04}", (FIRST + timedelta(days=night)).isoformat()
            history.execute(
                "INSERT INTO runs VALUES (?, 'made', 1, 1, ?, ?, 'accepted', 0, ?)", (run, started, started, run)
            )
            values = levels * np.where(night >= since, DROP, 1.0) * (1 + NOISE * random.normal(size=len(series)))
            rows = (
                (run, metric, "GB/s", "higher", host, device, card, value, value, value, 3)
                for (metric, host, device, card, _), value in zip(series, np.round(values, 3).tolist(), strict=True)
            )
            history.executemany("INSERT INTO figures VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)


def _series(hosts: int) -> Iterator[tuple[str, str, str, str, float]]:
    for host in range(hosts):
        cards = [f"GPU-{host:08x}-0000-4000-8000-{card:012x}" for card in range(CARDS)]
        for metric, level in METRICS:
            for number, card in enumerate(cards):
                yield metric, f"gpu-{host:04}", str(number), card, level
        for pair in HALF_PAIRS:
            one, other = pair.split("-")
            yield PAIR[0], f"gpu-{host:04}", pair, f"{cards[int(one)]} {cards[int(other)]}", PAIR[1]


if __name__ == "__main__":
    sys.exit(main())

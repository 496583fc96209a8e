"""Measure the acceptance page of a large run: 1,000,000 measurements and 100,000 checks on 1,000 hosts.

    python scripts/bench_reports.py [--keep DIR]

Time and memory of `python -m reports page`, the page's size, and in Chromium the time until it can be used and until a
search is answered. Prints one line a figure and its limit; the exit code is 1 where one is over its limit.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests" / "reports")]

from chromium import browser  # noqa: E402  # the paths above lead to them
from run_maker import Shape, write  # noqa: E402

LARGE = Shape(
    hosts=1000, cards=8, checks_per_host=100, repetitions=37, broken_hosts=20, slow_cards=64, output_chars=800
)
"""888 copies and 112 pairs on each host: 1,000 measurements."""
LIMITS = {"time": 30.0, "cpu": 30.0, "memory": 2048.0, "size": 40.0, "usable": 3.0, "search": 0.5, "detail": 0.5}


def main() -> int:
    """Make the run, its page, and open it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="write run and page here and leave them")
    kept = parser.parse_args().keep
    with tempfile.TemporaryDirectory(prefix="bench-reports-") as folder:
        run = write(kept or Path(folder), LARGE)
        load, processors = os.getloadavg()[0], os.cpu_count() or 1
        print(f"load of the machine before: {load:.1f} on {processors} processors")
        records_mib = (run / "records.jsonl").stat().st_size / 2**20
        print(f"{'records':34} {records_mib:8.0f} MiB")
        figures = {**_page(run), **_opened(run / "acceptance.html")}
    shared = {"time", "usable", "search", "detail"} if load > processors / 2 else set()
    over = [name for name, (_, value, _) in figures.items() if value > LIMITS[name] and name not in shared]
    if shared:
        print("the machine is in use by others: only processor time, memory and size are judged")
    for name, (what, value, unit) in figures.items():
        print(f"{what:34} {value:8.2f} {unit:3} (at most {LIMITS[name]:g}){'  OVER' if name in over else ''}")
    return int(bool(over))


def _page(run: Path) -> dict[str, tuple[str, float, str]]:
    started = time.monotonic()
    subprocess.run([sys.executable, "-m", "reports", "page", str(run)], cwd=REPOSITORY, check=True, capture_output=True)
    took_s = time.monotonic() - started
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    memory_mib = used.ru_maxrss / 1024
    size_mib = (run / "acceptance.html").stat().st_size / 2**20
    return {
        "time": ("page is made in", took_s, "s"),
        "cpu": ("with processor time of", used.ru_utime + used.ru_stime, "s"),
        "memory": ("with memory of", memory_mib, "MiB"),
        "size": ("page", size_mib, "MiB"),
    }


def _opened(page: Path) -> dict[str, tuple[str, float, str]]:
    with browser() as chromium:
        tab = chromium.new_page(viewport={"width": 1280, "height": 900})
        tab.goto(page.as_uri())
        tab.wait_for_selector("html[data-ready]")
        usable_ms = float(tab.evaluate("performance.now()"))
        search_ms = float(
            tab.evaluate(
                """() => new Promise((done) => {
                  const start = performance.now(), status = document.getElementById("status");
                  const finish = () => setTimeout(() => done(performance.now() - start));
                  new MutationObserver(() => requestAnimationFrame(finish))
                    .observe(status, {childList: true});
                  const search = document.getElementById("search");
                  search.value = "compute-77 cuda";
                  search.dispatchEvent(new Event("input", {bubbles: true}));
                })"""
            )
        )
        started = time.monotonic()
        tab.locator("details.check").first.locator("summary").click()
        tab.wait_for_selector("details.check[open] .detail > *")
        detail_s = time.monotonic() - started
    return {
        "usable": ("page can be used after", usable_ms / 1000, "s"),
        "search": ("a search is answered in", search_ms / 1000, "s"),
        "detail": ("a check is unfolded in", detail_s, "s"),
    }


if __name__ == "__main__":
    sys.exit(main())

"""Every page in Chromium under axe-core: nothing serious at any width, light, dark or in print, and none too wide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import chromium
import made_runs
import pytest
from axe_playwright_python.sync_playwright import Axe
from made_keys import SIGNER
from playwright.sync_api import Browser, Page
from suite_runner import run_suite
from test_schema import SUITE

from judging.records import Verdict
from reports import page
from reports.certification import certificate
from reports.history.database import open_file
from reports.history.loading import load
from reports.history.past import past_of
from reports.history.trend import trend_of
from reports.history.trend_page import page as trend_page

if not chromium.PATH:
    pytest.skip("Chromium is not installed: apt-get install chromium", allow_module_level=True)

WIDTHS = (1440, 768, 390)
SERIOUS = ("serious", "critical")
RULES = {"resultTypes": ["violations"]}
COLOURS: dict[str, Any] = {**RULES, "runOnly": ["color-contrast"]}
"""What another theme or paper can change"""
PAGES = ("rejected", "trend", "certificate", "report")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One of each kind, on simulated hardware, with all parts that a page can have."""
    made = tmp_path_factory.mktemp("pages")
    database = open_file(made / "history.db")
    for night, run in enumerate(made_runs.nights(14, of=lambda night, *_: 0.9 if night > 6 else 1.0)):
        hosts = [replace(host, facts={**host.facts, "kernel": f"4.{night // 7}"}) for host in run.hosts]
        load(database, replace(run, header=replace(run.header, simulated=True), hosts=tuple(hosts)))
    bad = made_runs.check("host.iommu.cmdline", "compute-0", Verdict.FAILED, cause="absent", fix="add it", message="no")
    open_one = made_runs.check("cuda.p2p", "all-cards", Verdict.NOT_VERIFIED, message="nobody looked")
    last = made_runs.made_run(15, simulated=True, more=[bad, open_one])
    rejected = page.write(made_runs.write(last, made / "rejected"), past_of=lambda run: past_of(database, run))
    (made / "trend.html").write_text(trend_page([trend_of(database, "cloud-1")]), encoding="utf-8")
    content = certificate.content_of(made_runs.made_run(simulated=True), [], rehearsal=True)
    certificate.write(made / "certificate", content, SIGNER)
    suite = tmp_path_factory.mktemp("suite")
    run_suite(suite, SUITE)
    return {
        "rejected": rejected,
        "trend": made / "trend.html",
        "certificate": made / "certificate" / "certificate.html",
        "report": suite / "run" / "report.html",
    }


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for all tests."""
    with chromium.browser() as found:
        yield found


def _serious(tab: Page, rules: dict[str, Any]) -> list[str]:
    found = Axe().run(tab, options=rules).response["violations"]
    return [
        f"{each['id']}: {each['help']}: {node['html'][:200]}"
        for each in found
        if each["impact"] in SERIOUS
        for node in each["nodes"][:3]
    ]


@pytest.mark.parametrize("name", PAGES)
def test_nothing_serious_is_found_and_nothing_is_too_wide(browser: Browser, pages: dict[str, Path], name: str) -> None:
    """At a desk's, a tablet's and a telephone's width; what is folded is looked at, too."""
    tab = browser.new_page()
    tab.goto(pages[name].as_uri())
    tab.evaluate("for (const part of document.querySelectorAll('details:not(.check)')) part.open = true")
    for width in WIDTHS:
        tab.set_viewport_size({"width": width, "height": 900})
        for rules, scheme, media in (
            (RULES, "light", "screen"),
            (COLOURS, "dark", "screen"),
            (COLOURS, "light", "print"),
        ):
            tab.emulate_media(media=media, color_scheme=scheme)  # type: ignore[arg-type]
            assert _serious(tab, rules) == [], (width, scheme, media)
            if media == "screen":
                assert tab.evaluate("document.documentElement.scrollWidth") == width, (width, scheme)
    tab.close()


@pytest.mark.parametrize("name", PAGES)
def test_every_page_says_its_language_and_that_the_hardware_was_simulated(pages: dict[str, Path], name: str) -> None:
    """For those who hear a page, and for those who print it."""
    html = pages[name].read_text(encoding="utf-8")

    assert '<html lang="en">' in html
    assert "SIMULATED HARDWARE" in html
    assert "print-color-adjust: exact" in html

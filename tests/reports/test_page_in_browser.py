"""The page in Chromium, at a desk's and a telephone's width, light and dark, red and green, one host and a thousand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import chromium
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect
from run_maker import Shape, write
from test_page import _hostile_run

from reports import page

if not chromium.PATH:
    pytest.skip("Chromium is not installed: apt-get install chromium", allow_module_level=True)

SHAPES = {
    "green": Shape(hosts=1, cards=1, bare_metal=True),
    "red": Shape(hosts=4, cards=8, broken_hosts=1, slow_cards=9, simulated=True),
    "thousand": Shape(hosts=1000, cards=8, checks_per_host=12, repetitions=1, broken_hosts=9, output_chars=60),
}
VIEWS = [(1280, "light"), (1280, "dark"), (360, "light"), (360, "dark")]
CHECKS = "details.check"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The page of each kind of run."""
    directory = tmp_path_factory.mktemp("runs")
    made = {name: page.write(write(directory / name, shape)) for name, shape in SHAPES.items()}
    hostile = directory / "hostile"
    hostile.mkdir()
    (hostile / "records.jsonl").write_text("".join(_hostile_run()), encoding="utf-8")
    return {**made, "hostile": page.write(hostile)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for all tests."""
    with chromium.browser() as found:
        yield found


class Tab:
    """A page that was opened, and what it did beside showing itself."""

    def __init__(self, browser: Browser, path: Path, width: int = 1280, scheme: str = "light") -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.complaints.append(dialog.message), dialog.dismiss()))
        self.page.on("request", self._request)
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("html[data-ready]")

    def _console(self, message: ConsoleMessage) -> None:
        self.complaints.append(message.text)

    def _request(self, request: Request) -> None:
        self.requests.append(request.url)


@pytest.fixture
def opened(browser: Browser, pages: dict[str, Path]) -> Iterator[list[Tab]]:
    """Tabs that are closed, and that asked for nothing and complained of nothing."""
    tabs: list[Tab] = []
    yield tabs
    for tab in tabs:
        tab.context.close()
        assert tab.complaints == []
        assert len(tab.requests) == 1


@pytest.fixture
def red(browser: Browser, pages: dict[str, Path], opened: list[Tab]) -> Page:
    """The red run's page."""
    opened.append(Tab(browser, pages["red"]))
    return opened[-1].page


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
@pytest.mark.parametrize("name", [*SHAPES, "hostile"])
def test_it_fits_and_is_quiet(
    browser: Browser, pages: dict[str, Path], opened: list[Tab], name: str, width: int, scheme: str
) -> None:
    """No sideways scrolling, folded or unfolded, no error, no request; the verdict is in sight without scrolling."""
    opened.append(Tab(browser, pages[name], width, scheme))
    tab = opened[-1].page

    expect(tab.locator("h1")).to_be_in_viewport()
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    tab.evaluate("for (const part of document.querySelectorAll('details:not(.check)')) part.open = true")
    tab.locator(f"{CHECKS} > summary").first.click()
    expect(tab.locator(f"{CHECKS}[open] .detail dl").first).to_be_visible()
    assert tab.evaluate("document.documentElement.scrollWidth") == width


def test_simulated_hardware_stays_in_sight(red: Page) -> None:
    """Wherever one has scrolled to."""
    for place in ("#stack", "#figures", "#checks"):
        red.locator(place).scroll_into_view_if_needed()
        expect(red.locator(".simulated")).to_be_in_viewport()


def test_checks_are_filtered_by_word_layer_and_verdict(red: Page) -> None:
    """Words of check, place and message, all of them; a verdict that is taken away; a layer."""
    expect(red.locator("#status")).to_have_text("48 checks")
    red.get_by_label("Search").fill("compute-0 iommu")
    expect(red.locator("#status")).to_have_text("3 of 48 checks match")
    expect(red.locator(f"{CHECKS} .mark")).to_have_text(["failed", "failed", "passed"])
    red.get_by_role("checkbox", name="failed").uncheck()
    expect(red.locator(f"{CHECKS} .id")).to_have_text(["host.iommu.firmware"])
    red.get_by_label("Search").fill("")
    red.get_by_label("Layer").select_option("control_plane")
    expect(red.locator("#status")).to_have_text("8 of 48 checks match")
    red.get_by_label("Search").fill("no such thing")
    expect(red.locator(CHECKS)).to_have_count(0)


def test_checks_are_sorted(red: Page) -> None:
    """Worst first, by place as people count, and the slowest first."""
    assert red.locator(f"{CHECKS} .mark").all_inner_texts()[:3] == ["failed"] * 3
    red.get_by_label("Sort").select_option("place")
    places = red.locator(f"{CHECKS} .place").all_inner_texts()
    assert places == sorted(places)
    red.get_by_label("Sort").select_option("time")
    times = [float(text.split()[0]) for text in red.locator(f"{CHECKS} .time").all_inner_texts()]
    assert times == sorted(times, reverse=True)
    red.get_by_label("Sort").select_option("check")
    names = red.locator(f"{CHECKS} .id").all_inner_texts()
    assert names == sorted(names)


def test_a_row_that_was_filtered_unfolds_its_own_evidence(red: Page) -> None:
    """The detail comes from the compressed part, and belongs to the row."""
    red.get_by_label("Search").fill("compute-2 host.gpu.driver")
    expect(red.locator("#status")).to_have_text("1 of 48 checks match")
    red.locator(f"{CHECKS} > summary").click()

    detail = red.locator(f"{CHECKS} .detail")
    expect(detail).to_contain_text("test_host.gpu.driver[compute-2]")
    expect(detail.locator("pre")).to_contain_text("device line")


def test_a_cause_leads_to_its_checks_by_keyboard(red: Page) -> None:
    """Tab to the link, Enter, and the checks of that cause are the list."""
    red.locator(".cause .jump a").first.focus()
    red.keyboard.press("Enter")

    expect(red.locator(f"{CHECKS} .id").first).to_have_text("host.iommu.cmdline")
    expect(red.locator("#status")).to_contain_text("4 of 48 checks match")
    red.locator(f"{CHECKS} > summary").first.focus()
    red.keyboard.press("Enter")
    expect(red.locator(f"{CHECKS}[open] .detail").first).to_contain_text("/etc/default/grub:6")


def test_more_checks_are_shown_when_asked_for(browser: Browser, pages: dict[str, Path], opened: list[Tab]) -> None:
    """A hundred at a time of twelve thousand, and a machine's tile leads to that machine's checks."""
    opened.append(Tab(browser, pages["thousand"]))
    tab = opened[-1].page

    expect(tab.locator("#status")).to_have_text("12,000 checks, the first 100 are shown")
    tab.get_by_role("button", name="Show more").click()
    expect(tab.locator(CHECKS)).to_have_count(200)
    tab.locator('.fleet a[data-search="compute-777"]').click()
    expect(tab.locator("#status")).to_have_text("12 of 12,000 checks match")


def test_hostile_text_is_shown_in_filtered_rows(browser: Browser, pages: dict[str, Path], opened: list[Tab]) -> None:
    """What the script writes is text, too."""
    opened.append(Tab(browser, pages["hostile"]))
    tab = opened[-1].page
    tab.get_by_label("Sort").select_option("place")
    tab.locator(f"{CHECKS} > summary").first.click()

    expect(tab.locator(f"{CHECKS} .detail dl").first).to_be_visible()
    expect(tab.locator(f"{CHECKS} .id").first).to_contain_text("<img src=x onerror=alert(1)>")
    assert tab.locator("img").count() == 0


def test_without_javascript_the_worst_checks_and_all_else_are_there(browser: Browser, pages: dict[str, Path]) -> None:
    """As Jenkins shows it, whose policy lets no script of a report run."""
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(pages["red"].as_uri())

    assert tab.locator(CHECKS).count() == 48
    assert tab.locator(".detail dl").count() == 48
    assert tab.locator("noscript").is_visible()
    context.close()


def test_every_printed_page_says_simulated(browser: Browser, pages: dict[str, Path], opened: list[Tab]) -> None:
    """In print the bar keeps its place and a mark is fixed, which is drawn on each page; causes are unfolded."""
    opened.append(Tab(browser, pages["red"]))
    tab = opened[-1].page
    tab.emulate_media(media="print")

    expect(tab.locator(".simulated")).to_be_visible()
    expect(tab.locator(".watermark")).to_be_visible()
    assert tab.locator(".watermark").evaluate("mark => getComputedStyle(mark).position") == "fixed"
    assert tab.evaluate("[...document.styleSheets[0].cssRules].some(rule => rule.cssText.includes('@top-center'))")
    expect(tab.locator(".cause .names").first).to_be_visible()
    expect(tab.locator(".tools")).to_be_hidden()

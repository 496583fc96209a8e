"""The page in Chromium, at a desk's and a telephone's width, light and dark, red and green, one host and a thousand."""

from __future__ import annotations

import re
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

    def __init__(self, browser: Browser, path: Path | str, width: int = 1280, scheme: str = "light") -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.complaints.append(dialog.message), dialog.dismiss()))
        self.page.on("request", self._request)
        self.page.goto(path.as_uri() if isinstance(path, Path) else path)
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
    red.get_by_role("searchbox", name="Search").fill("compute-0 iommu")
    expect(red.locator("#status")).to_have_text("3 of 48 checks match")
    expect(red.locator(f"{CHECKS} .mark")).to_have_text(["failed", "failed", "passed"])
    red.get_by_role("checkbox", name="failed").uncheck()
    expect(red.locator(f"{CHECKS} .id")).to_have_text(["host.iommu.firmware"])
    red.get_by_role("searchbox", name="Search").fill("")
    red.get_by_role("combobox", name="Layer").select_option("OpenStack")
    expect(red.locator("#status")).to_have_text("8 of 48 checks match")
    red.get_by_role("searchbox", name="Search").fill("no such thing")
    expect(red.locator(CHECKS)).to_have_count(0)


def test_the_filter_stands_in_the_address(red: Page, browser: Browser, opened: list[Tab]) -> None:
    """Whoever opens the address that was copied sees the same checks in the same order."""
    red.get_by_role("searchbox", name="Search").fill("iommu & a#b?")
    expect(red.locator("#status")).to_have_text("0 of 48 checks match")
    red.get_by_role("searchbox", name="Search").fill("compute")
    red.get_by_role("checkbox", name="passed").uncheck()
    red.get_by_role("combobox", name="Layer").select_option("IOMMU")
    red.get_by_role("combobox", name="Sort").select_option("time")
    expect(red.locator("#status")).to_have_text("1 of 48 checks match")
    expect(red).to_have_url(re.compile("#checks\\?q=compute&layer=IOMMU&sort=time&verdict="))

    other = Tab(browser, red.url)
    opened.append(other)

    expect(other.page.locator("#status")).to_have_text("1 of 48 checks match")
    expect(other.page.locator(f"{CHECKS} .id")).to_have_text(["host.iommu.groups"])
    expect(other.page.get_by_role("searchbox", name="Search")).to_have_value("compute")
    expect(other.page.get_by_role("checkbox", name="passed")).not_to_be_checked()


@pytest.mark.parametrize(
    "damage", ["#checks?verdict=none&layer=Moon&sort=x&at=%ZZ", "#%E0%A4%A", "#check:no.such.check", "#checks?"]
)
def test_an_address_that_was_damaged_opens_the_page(
    browser: Browser, pages: dict[str, Path], opened: list[Tab], damage: str
) -> None:
    """What it asks for may be nowhere; the page is there and says how many match."""
    opened.append(Tab(browser, pages["red"].as_uri() + damage))

    expect(opened[-1].page.locator("#status")).to_contain_text("48 checks")


@pytest.mark.parametrize("name", ["red", "thousand"])
def test_an_anchor_opens_its_check(browser: Browser, pages: dict[str, Path], opened: list[Tab], name: str) -> None:
    """Also one that is not among the first hundred."""
    opened.append(Tab(browser, pages[name].as_uri() + "#check:host.gpu.driver%5Bcompute-3%5D"))
    tab = opened[-1].page

    details = tab.locator("details[id='check:host.gpu.driver[compute-3]']")
    expect(details).to_have_attribute("open", "")
    expect(details).to_be_in_viewport()
    expect(details.locator("dl").first).to_contain_text("test_host.gpu.driver[compute-3]")
    expect(details.locator("a.link")).to_have_attribute("href", "#check%3Ahost.gpu.driver%5Bcompute-3%5D")


def test_a_failed_check_says_the_command_that_makes_it_again_and_copies_it(red: Page) -> None:
    """Beside its cause and in its detail."""
    command = "pytest suites/ --cloud made --check 'host.iommu.cmdline[compute-0]'"
    cause = red.locator(".cause").first
    expect(cause.locator(".again code")).to_have_text(command)

    red.context.grant_permissions(["clipboard-read", "clipboard-write"])
    cause.locator(".again button.copy").click()

    expect(cause.locator(".again button.copy")).to_have_text("Copied")
    assert red.evaluate("navigator.clipboard.readText()") == command
    row = red.locator("details[id='check:host.iommu.cmdline[compute-0]']")
    row.locator("summary").first.click()
    expect(row.locator("[data-copy='the command']").first).to_have_text(command)


def test_a_cell_of_the_first_table_leads_to_its_checks(red: Page) -> None:
    """A server's failed layer; back to all machines by a button."""
    assert red.locator("table").first.get_attribute("class") == "servers"
    row = red.locator("#server-rows tr", has_text="compute-0")
    expect(row.locator("td")).to_have_text(
        ["1", "1 failed", "1 failed", "3", "2", "1 blocked", "1 blocked", "1 failed"]
    )

    row.get_by_role("link", name="1 failed").first.click()

    expect(red.locator(f"{CHECKS} .id")).to_have_text(["host.iommu.cmdline"])
    expect(red.locator("#only")).to_contain_text("Only at compute-0.")
    red.get_by_role("button", name="Show all machines").click()
    expect(red.locator("#status")).to_have_text("4 of 48 checks match")


def test_a_thousand_servers_filter_at_once(browser: Browser, pages: dict[str, Path], opened: list[Tab]) -> None:
    """From a key to the next picture: the fastest of five, since others use the machine, too."""
    opened.append(Tab(browser, pages["thousand"]))
    tab = opened[-1].page
    assert tab.locator("#server-rows tr").count() == 1000

    took_ms = tab.evaluate(
        """async () => {
          const field = document.getElementById("server-search"), took = [];
          for (const text of ["c", "failed", "compute-9", "", "compute-99"]) {
            const started = performance.now();
            field.value = text;
            field.dispatchEvent(new Event("input"));
            await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
            took.push(performance.now() - started);
          }
          return Math.min(...took);
        }"""
    )

    assert took_ms < 500
    expect(tab.locator("#server-status")).to_have_text("11 of 1,000 match")
    assert tab.locator("#server-rows tr:visible").count() == 11


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
    red.get_by_role("searchbox", name="Search").fill("compute-2 host.gpu.driver")
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
    expect(tab.locator(".check-tools")).to_be_hidden()

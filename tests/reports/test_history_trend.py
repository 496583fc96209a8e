"""The trend over 30 nights: names card, metric and night, what else changed, and cries never wolf."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from made_runs import FACTS, UUIDS, made_run, nights

from cloud_file.sections.history import SlowerThanPast
from judging.records import Verdict
from probes.card_identity import CardIdentity
from reports.__main__ import main
from reports.history.curve import HEIGHT_PX, curve_of
from reports.history.database import Database, open_file
from reports.history.judgement import CHECK, judged
from reports.history.loading import load
from reports.history.nights import Night, Series, SeriesKey
from reports.history.surroundings import differences, surroundings_of
from reports.history.trend import as_text, trend_of
from reports.history.trend_page import page
from reports.run import Run

NIGHT_20 = "2026-10-20"
LIMITS = SlowerThanPast()


def degrading(night: int, metric: str, card: str) -> float:
    """From the 20th night on one card copies 0.8 % less to the device, each night."""
    return 1 - 0.008 * max(0, night - 18) if (metric, card) == ("bandwidth.h2d", UUIDS[1]) else 1.0


@pytest.fixture(scope="module")
def degraded(tmp_path_factory) -> Database:
    """30 nights; in the 20th all computes got another kernel."""
    database = open_file(tmp_path_factory.mktemp("history") / "history.db")
    for number, run in enumerate(nights(30, of=degrading)):
        kernel = "3.10.0-957.el7.x86_64" if number >= 19 else FACTS["kernel"]
        hosts = [replace(host, facts={**host.facts, "kernel": kernel}) for host in run.hosts]
        load(database, replace(run, hosts=tuple(hosts)))
    return database


def test_a_slowly_degrading_card_is_named_with_metric_and_night(degraded):
    """The one of nine series, within two nights of the 20th, by how much and how sure."""
    (change,) = trend_of(degraded, "cloud-1").changes

    assert (change.series.key.metric, change.series.key.card) == ("bandwidth.h2d", UUIDS[1])
    assert "2026-10-18" <= change.date <= "2026-10-22"
    assert change.is_worse
    assert change.percent == pytest.approx(-8.8, abs=1.5)
    assert change.confidence > 0.99


def test_what_else_changed_that_night_is_said(degraded):
    """The kernel, with the hosts that got it, once."""
    text = "\n".join(as_text(trend_of(degraded, "cloud-1")))

    assert f"bandwidth.h2d of {UUIDS[1]} (all-cards card 1): worse by" in text
    assert re.search(
        r"(that night|2026-10-2\d), too: kernel 3.10.0-693.el7.x86_64 → 3.10.0-957.el7.x86_64 on all-cards", text
    )
    assert text.count("too: kernel") == 1


def test_healthy_nights_have_no_change(tmp_path):
    """30 nights, nothing but noise."""
    database = open_file(tmp_path / "history.db")
    for run in nights(30, noise=0.01, seed=4):
        load(database, run)

    assert trend_of(database, "cloud-1").changes == ()


def test_the_page_is_small_self_contained_and_escaped(tmp_path):
    """Inline pictures, no script, no address; what hosts said is text."""
    database = open_file(tmp_path / "history.db")
    evil = "<script>alert(1)</script>"
    for number, run in enumerate(nights(20, of=lambda night, *_: 0.8 if night >= 10 else 1.0)):
        facts = {**FACTS, "kernel": evil if number >= 10 else "4.18"}
        load(database, replace(run, hosts=tuple(replace(host, facts=facts) for host in run.hosts)))
    trend = trend_of(database, "cloud-1")

    made = page([trend])

    assert page([trend]) == made
    assert made.count('<svg class="plot"') == 9
    assert len(trend.changes) == 9
    assert "&lt;script&gt;" in made
    assert not re.search(r"<script|https?://|src=|@import|url\(", made)
    assert len(made) < 80_000


def test_simulated_nights_say_so(tmp_path):
    """In text and page."""
    database = open_file(tmp_path / "history.db")
    load(database, made_run(simulated=True))
    trend = trend_of(database, "cloud-1")

    assert next(iter(as_text(trend))) == "SIMULATED HARDWARE"
    assert '<aside class="simulated" aria-label="Hardware">SIMULATED HARDWARE</aside>' in page([trend])


def test_the_command_prints_writes_and_fails_when_asked(degraded, tmp_path, capsys):
    """--fail is for a nightly job."""
    database = ["--database", degraded.engine.url.database]
    file = tmp_path / "trend.html"

    codes = [main(["trend", *database, "--html", str(file)]), main(["trend", *database, "--fail"])]

    assert codes == [0, 1]
    assert UUIDS[1] in capsys.readouterr().out
    assert UUIDS[1] in file.read_text()


def test_a_curve_has_values_dates_and_the_night_of_its_change(degraded):
    """Round values at the left, the first and last date and the change's own below, each night by date and value."""
    trend = trend_of(degraded, "cloud-1")
    (change,) = trend.changes

    curve = curve_of(change.series, [change])

    assert [tick.text for tick in curve.values] == ["11", "11.2", "11.4", "11.6", "11.8"]
    assert [(tick.text, tick.is_change) for tick in curve.dates] == [
        ("2026-10-01", False),
        ("2026-10-30", False),
        (change.date, True),
    ]
    assert len(curve.dots) == 30
    assert curve.dots[0].title.startswith("2026-10-01: 11.9")
    assert curve.changes == (curve.dots[change.point.index].x,)


def test_nights_stand_where_their_dates_are():
    """A week without a run is a week wide."""
    series = Series(SeriesKey("m", "c"), "GB/s", "higher", "h", "0", (Night("2026-10-01", 1, "a"),) * 1)
    nights_of = tuple(Night(f"2026-10-{day:02}", 1.0, "r") for day in (1, 2, 11))

    assert [dot.x for dot in curve_of(replace(series, nights=nights_of), []).dots] == [0, 10, 100]
    assert [dot.x for dot in curve_of(series, []).dots] == [0]


@pytest.mark.parametrize(
    "values", [(0.0,), (0.0, 0.0), (5.0, 5.0), (1e-9, 2e-9), (1e12, 3e12), (-3.0, 4.0), (1.0, 1e9)]
)
def test_every_curve_has_at_least_three_values_within_it(values):
    """Of whatever height and sign, also where all nights are alike."""
    series = Series(
        SeriesKey("m", "c"), "x", "higher", "h", "0", tuple(Night("2026-10-01", value, "r") for value in values)
    )
    curve = curve_of(series, [])

    assert 3 <= len(curve.values) <= 12
    assert all(0 <= tick.at <= HEIGHT_PX for tick in curve.values)
    assert all(0 <= dot.y <= HEIGHT_PX for dot in curve.dots)


def test_the_page_links_to_the_runs_that_are_there(degraded, tmp_path, capsys):
    """Relative to where the page lies; a run without a page is named only."""
    there, gone = "cloud-1-20261020T223000Z-0000", "cloud-1-20261019T223000Z-0000"
    run = tmp_path / "reports" / there / "acceptance.html"
    run.parent.mkdir(parents=True)
    run.write_text("")
    file = tmp_path / "trend.html"

    main(["trend", "--database", degraded.engine.url.database, "--html", str(file)])

    assert f'<a href="reports/{there}/acceptance.html">{there}</a>' in file.read_text()
    assert gone in file.read_text()
    assert f">{gone}</a>" not in file.read_text()


def slow(factor: float):
    return lambda metric, card, repetition: (
        (11.9 if metric == "bandwidth.h2d" else 12.8 if metric == "bandwidth.d2h" else 6.3)
        * (factor if (metric, card) == ("bandwidth.h2d", UUIDS[2]) else 1.0)
    )


@pytest.fixture
def past(tmp_path) -> Database:
    database = open_file(tmp_path / "history.db")
    for run in nights(14):
        load(database, run)
    return database


def test_a_card_slower_than_its_past_fails_its_host_only(past):
    """By how much, how sure, which card and metric; the other host passes."""
    records = {record.place: record for record in judged(past, made_run(14, slow(0.9)), LIMITS)}

    bad = records["one-card"]
    assert (bad.id, bad.verdict, bad.cause) == (CHECK, Verdict.FAILED, "slower_than_past")
    assert (
        f"bandwidth.h2d of {UUIDS[2]} (one-card card 0): 10.71 GB/s, in 14 nights before 11.89: 10.0 % slower"
        in bad.message
    )
    assert "% sure" in bad.message
    assert records["all-cards"].verdict is Verdict.PASSED
    assert "6 figures compared" in records["all-cards"].found


def test_a_card_is_followed_by_its_uuid_to_another_host(past):
    """A card that was always slow and sits elsewhere tonight is no slower; by its slot it would be."""
    run = made_run(14)
    swapped = replace(
        run,
        hosts=tuple(
            replace(host, cards=tuple(reversed([replace(card, index=str(1 - int(card.index))) for card in host.cards])))
            if host.host == "all-cards"
            else host
            for host in run.hosts
        ),
    )

    assert {record.verdict for record in judged(past, swapped, LIMITS)} == {Verdict.PASSED}


def test_a_slow_card_never_becomes_the_usual(past):
    """After forty refused nights it is still refused, beside what it was before them."""
    for night in range(14, 54):
        run = made_run(night, slow(0.9))
        records = judged(past, run, LIMITS)
        assert Verdict.FAILED in {record.verdict for record in records}, night
        load(past, replace(run, checks=(*run.checks, *records)))


def test_the_past_can_begin_anew(past):
    """After a driver that is meant to be slower: what was before is not compared, and too few nights are none."""
    limits = SlowerThanPast(since="2026-10-14")

    assert judged(past, made_run(14, slow(0.9)), limits) == []


def test_thirty_quiet_nights_fail_no_card(tmp_path):
    """Judged every night as it comes."""
    database = open_file(tmp_path / "history.db")
    for run in nights(30, noise=0.015, seed=12):
        assert Verdict.FAILED not in {record.verdict for record in judged(database, run, LIMITS)}
        load(database, run)


def test_a_card_that_was_moved_is_said():
    """Into another server or slot: figures that change then have a reason."""

    def standing(host: str, slot: str) -> Run:
        run, card = made_run(), CardIdentity(host, "0000:84:00.0", slot, "one-card", device="0", uuid=UUIDS[2])
        return replace(run, checks=tuple(replace(check, cards=(card,)) for check in run.checks))

    before, after = (surroundings_of(standing(*place)) for place in (("compute-0", "3"), ("compute-1", "6")))

    assert [str(each) for each in differences(before, after)] == [
        f"stands in compute-0, slot 3, 0000:84:00.0 → compute-1, slot 6, 0000:84:00.0 on {UUIDS[2]}"
    ]

"""JUnit XML that Jenkins' schema accepts, whatever hosts print."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import xmlschema
from made_runs import check, made_run, write

from judging.records import Evidence, Verdict
from reports.__main__ import main
from reports.junit import clean, junit
from reports.records import RunEnd
from reports.run import Run

SCHEMA = xmlschema.XMLSchema(str(Path(__file__).with_name("junit-jenkins.xsd")))
HOSTILE = "".join(map(chr, range(0x20))) + "\x7f\x9b\ud800\ufffe\uffff]]><!-- &amp; <script> \x1b[31mred\x1b[0m"


def suite_of(run: Run) -> ET.Element:
    """Validated."""
    made = junit(run)
    SCHEMA.validate(made.decode())
    return ET.fromstring(made)[0]  # noqa: S314  # our own


def told(suite: ET.Element, name: str) -> ET.Element | None:
    case = next(case for case in suite.iter("testcase") if case.get("name") == name)
    return case[0] if len(case) else None


def test_an_accepted_run_has_no_complaint():
    """Each check and the outcome are test cases; nothing but passed ones."""
    run = made_run()

    suite = suite_of(run)

    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == (str(len(run.checks) + 1), "0", "0")
    assert told(suite, "run.outcome") is None
    assert {case.get("classname") for case in suite.iter("testcase")} == {"cloud-1.host", "cloud-1.cuda", "cloud-1.run"}


@pytest.mark.parametrize(
    ("verdict", "element"),
    [
        (Verdict.FAILED, "failure"),
        (Verdict.ERROR, "error"),
        (Verdict.NOT_VERIFIED, "error"),
        (Verdict.BLOCKED, "skipped"),
    ],
)
def test_each_verdict_has_its_element_and_the_outcome_its_own(verdict, element):
    """Rejected is a failure; what could not be judged is an error, never a failure and never green."""
    suite = suite_of(made_run(more=[check("cuda.p2p", "all-cards", verdict, message="why")]))

    assert told(suite, "cuda.p2p [all-cards]").tag == element
    assert told(suite, "run.outcome").tag == ("failure" if verdict is Verdict.FAILED else "error")


def test_a_run_that_was_cut_off_or_could_not_clean_up_is_an_error():
    """No end, or pytest's and our other exit codes."""
    run = made_run()

    assert "cut off" in told(suite_of(replace(run, end=None)), "run.outcome").get("message")
    dirty = replace(run, end=RunEnd(run.end.ended, run.end.outcome, 70))
    assert told(suite_of(dirty), "run.outcome").tag == "error"


def test_what_hosts_print_can_be_read_and_breaks_nothing():
    """Control characters, ANSI colours, lone surrogates, the end of a CDATA section: in every field."""
    evil = check(
        f"host.{HOSTILE}",
        HOSTILE,
        Verdict.FAILED,
        message=HOSTILE,
        cause=HOSTILE,
        fix=HOSTILE,
        file=HOSTILE,
        fact=HOSTILE,
        evidence=(Evidence(HOSTILE, HOSTILE, 1, HOSTILE, 0.1),),
    )

    suite = suite_of(made_run(more=[evil], cloud=HOSTILE, id=HOSTILE))

    text = next(suite.iter("failure")).text
    assert "␛[31mred␛[0m" in text
    assert "]]><!-- &amp; <script>" in text


def test_five_megabytes_of_output_stay_small():
    """Bounded, and said so."""
    noisy = check(
        "host.noise",
        "a",
        Verdict.FAILED,
        message="m" * 5_000_000,
        duration_s=1234567.8912,
        evidence=(Evidence("a", "dmesg", 0, "\x1b[0m" * 1_250_000, 0.1),),
    )

    suite = suite_of(made_run(more=[noisy]))

    assert len(ET.tostring(suite)) < 100_000
    assert "characters left out" in next(suite.iter("failure")).text
    assert suite.get("time") == "1234567.891"


def test_clean_text_stays_as_it_is():
    """Umlauts and pictures are no control characters."""
    assert clean("Grüße, 12.4 GB/s → ✓ 🙂\n\tx") == "Grüße, 12.4 GB/s → ✓ 🙂\n\tx"


def test_the_schema_refuses_what_jenkins_refuses():
    """A schema that takes everything would prove nothing: properties in a test case, as pytest writes them."""
    made = junit(made_run()).decode()
    pytests = made.replace(
        'time="0.000" />', 'time="0.000"><properties><property name="a" value="b"/></properties></testcase>', 1
    )

    assert pytests != made
    assert not SCHEMA.is_valid(pytests)
    assert not SCHEMA.is_valid(made.replace("errors=", "mistakes=", 1))


def test_the_command_writes_a_run_that_was_killed(tmp_path):
    """From what its records hold."""
    write(replace(made_run(), end=None), tmp_path / "run")

    assert main(["junit", str(tmp_path / "run"), "--out", str(tmp_path / "junit.xml")]) == 0
    SCHEMA.validate((tmp_path / "junit.xml").read_text())

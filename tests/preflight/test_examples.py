"""Each rule's examples, found by name: examples/CODE/bad is found, CODE/good has no finding at all."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from preflight.catalogue import codes
from preflight.cli import inspect
from preflight.docs import page
from preflight.rules import catalogue

EXAMPLES = Path(__file__).parent / "examples"
OPEN_FAULTS = Path(__file__).parents[3] / "shared" / "faults-open.csv"
FOUND_BEFORE_DEPLOY = {
    "H02": "GP402",
    "H04": "GP407",
    "H05": "GP411",
    "H07": "GP413",
    "H13": "GP906",
    "H14": "GP415",
    "H15": "GP410",
    "H24": "GP805",
    "C02": "GP204",
    "C05": "GP210",
    "C06": "GP222",
    "C07": "GP201",
    "C08": "GP225",
    "C10": "GP228",
    "C13": "GP303",
    "C15": "GP111",
    "C16": "GP102",
    "C17": "GP601",
    "C18": "GP412",
    "C22": "GP229",
    "C23": "GP230",
    "C26": "GP218",
    "C29": "GP209",
    "C31": "GP231",
    "S13": "GP603",
    "S14": "GP306",
    "S18": "GP804",
    "S20": "GP510",
    "G03": "GP701",
    "G04": "GP711",
    "G05": "GP712",
    "G07": "GP708",
    "G08": "GP715",
    "G10": "GP713",
    "G11": "GP709",
    "G12": "GP710",
    "G17": "GP614",
    "G18": "GP614",
    "X02": "GP912",
}
"""Rows of the fault catalogue that stand in files before a deploy; the others show themselves on running machines."""


def release_of(code: str) -> str | None:
    """The release that the examples are for; Queens unless a file says otherwise."""
    file = EXAMPLES / code / "release"
    name = file.read_text(encoding="utf-8").strip() if file.exists() else "queens"
    return None if name == "none" else name


@pytest.mark.parametrize("code", [rule.code for rule in catalogue()])
def test_the_mistake_is_found(code: str):
    """The failing example of a rule gives a finding with all its texts, at a line of the file."""
    assert (EXAMPLES / code / "bad").is_dir(), f"write {EXAMPLES / code / 'bad'}"
    for key in (EXAMPLES / code / "bad").glob("*.pem"):
        key.chmod(0o644)  # a checkout has the mode of the umask

    found = inspect([EXAMPLES / code / "bad"], release_of(code))[1]

    mine = [finding for finding in found if finding.code == code]
    assert mine
    assert all(finding.why and finding.seen_as and finding.instead and finding.link for finding in mine)
    assert all(finding.location.line <= _lines(finding.location.path) for finding in mine)


def _lines(path: Path) -> int:
    return path.read_text(encoding="utf-8").count("\n") + 1


@pytest.mark.parametrize("code", [rule.code for rule in catalogue()])
def test_what_is_right_has_no_finding(code: str):
    """The correct example of a rule has no finding of any rule."""
    assert any((EXAMPLES / code / "good").iterdir()), f"write {EXAMPLES / code / 'good'}"

    assert inspect([EXAMPLES / code / "good"], release_of(code))[1] == []


def test_every_example_is_of_a_rule():
    """Each folder of examples is named after a rule, and each rule has one."""
    codes = {rule.code for rule in catalogue()}

    assert {path.name for path in EXAMPLES.iterdir()} == codes


def test_the_page_of_codes_is_up_to_date():
    """docs/preflight.md is what its script writes today."""
    written = (Path(__file__).parents[2] / "docs" / "preflight.md").read_text(encoding="utf-8")

    assert written == page(), "run scripts/write_preflight_docs.py"


def test_rows_of_the_fault_catalogue_are_found():
    """Each known fault that files can show has a rule."""
    if not OPEN_FAULTS.exists():
        pytest.skip("the fault catalogue is not beside this checkout")
    rows = {row["id"] for row in csv.DictReader(OPEN_FAULTS.open(encoding="utf-8"))}

    assert set(FOUND_BEFORE_DEPLOY) <= rows
    assert set(FOUND_BEFORE_DEPLOY.values()) <= {rule.code for rule in catalogue()}


def test_every_entry_of_the_catalogue_is_a_rule_with_its_texts():
    """A code of the catalogue belongs to one rule, and the rule has a title, a symptom and a link."""
    rules = catalogue()

    assert [rule.code for rule in rules] == sorted(codes())
    assert all(rule.title and rule.seen_as and rule.link.startswith("https://") for rule in rules)

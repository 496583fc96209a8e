"""docs/records.schema.json is what the code writes, no less and no more."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from run_maker import Shape, lines
from suite_runner import run_suite

from reports.records import json_line
from reports.schema import as_text, schema

REPOSITORY = Path(__file__).resolve().parents[2]
VALIDATOR = jsonschema.Draft202012Validator(schema())

SUITE = '''
"""A suite of one test that runs a command, measures and passes, and one that fails."""

import pytest
from record_fixtures import Notes

from access.host import CommandOutput
from access.errors import Rejected
from judging.records import Measurement


@pytest.mark.check("cuda.bandwidth", source="https://example.com/")
@pytest.mark.parametrize("place", ["one-card", "all-cards"])
def test_it_copies(place: str, notes: Notes) -> None:
    """Copies are fast."""
    notes.command(CommandOutput(place, "bandwidthTest", 0, "password: hidden\\n<b>12.5</b> GB/s", "", 0.5))
    notes.measurements.append(Measurement("bandwidth.h2d", 12.5, "GB/s", place, "0", 1, 10.0))


@pytest.mark.check("host.iommu.cmdline", rests_on=("host.iommu.firmware",))
def test_it_fails() -> None:
    """The argument is there."""
    raise Rejected("argument-missing", "no intel_iommu=on", fix="add it", file="/etc/default/grub", line_number=6)
'''


def test_the_published_schema_is_that_of_the_code() -> None:
    """Else run: python -m reports schema > docs/records.schema.json."""
    assert (REPOSITORY / "docs/records.schema.json").read_text(encoding="utf-8") == as_text()


def test_the_schema_is_a_schema() -> None:
    """jsonschema accepts it as one of its dialect."""
    jsonschema.Draft202012Validator.check_schema(schema())


def test_every_line_of_a_made_run_is_valid() -> None:
    """Failed and passed checks, machines, header and end."""
    for line in lines(Shape(broken_hosts=1, slow_cards=1, bare_metal=True)):
        VALIDATOR.validate(json.loads(json_line(line)))


@pytest.mark.parametrize("field", ["verdict", "expected", "evidence"])
def test_a_line_without_a_field_is_not_valid(field: str) -> None:
    """The schema can refuse."""
    line = next(data for data in (json.loads(json_line(line)) for line in lines()) if data["kind"] == "check")
    del line[field]

    assert not VALIDATOR.is_valid(line)


@pytest.mark.parametrize("workers", [0, 2])
def test_what_a_real_run_writes_is_valid(tmp_path: Path, workers: int) -> None:
    """pytest with the acceptance's plugins, with and without xdist: header, checks and end, each of the schema."""
    code, records = run_suite(tmp_path, SUITE, *(["-n", str(workers)] if workers else []))

    assert code == 1
    for record in records:
        VALIDATOR.validate(record)
    assert [record["kind"] for record in records] == ["run", "check", "check", "check", "end"]
    assert records[-1]["outcome"] == "rejected"

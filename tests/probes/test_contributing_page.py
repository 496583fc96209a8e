"""The example on the page about writing probes works as the page says."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import pytest

from access.errors import ParseError

PAGE = Path(__file__).resolve().parents[2] / "docs" / "contributing" / "probe.md"


def block(language: str) -> str:
    """The only block of code in that language on the page."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    return str(found)


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """The page's probe, imported as a module."""
    module = types.ModuleType("huge_pages_of_the_page")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(block("python"), str(PAGE), "exec"), module.__dict__)  # noqa: S102
    return module


def test_the_example_reads_the_sample_of_the_page(probe: types.ModuleType) -> None:
    """The page's probe gives the figures of the page's sample."""
    assert probe.parse(block("text")) == probe.HugePages(total=240, free=16, size_kib=1048576)


def test_the_example_refuses_every_cut_of_the_sample(probe: types.ModuleType) -> None:
    """A sample that lacks its end, at whatever character, is a ParseError."""
    sample = block("text").rstrip()

    for end in range(len(sample)):
        with pytest.raises(ParseError):
            probe.parse(sample[:end])


@pytest.mark.parametrize(
    ("old", "new"), [("HugePages_Free:       16\n", ""), ("HugePages_Free", "HugePages_Total"), ("240", "many")]
)
def test_the_example_refuses_what_contradicts(probe: types.ModuleType, old: str, new: str) -> None:
    """A field that is missing, twice or no number is a ParseError."""
    sample = block("text")
    assert old in sample

    with pytest.raises(ParseError):
        probe.parse(sample.replace(old, new))


def test_the_page_names_files_that_exist() -> None:
    """Each path of the repository that the page names is there, but for the example's own."""
    named = set(re.findall(r"`((?:probes|tests|suites|judging|access)/[\w/.]*)`", PAGE.read_text(encoding="utf-8")))
    example = {"probes/huge_pages.py", "tests/probes/samples/NAME/"}

    assert example - {"tests/probes/samples/NAME/"} <= named
    assert [path for path in sorted(named - example) if not (PAGE.parents[2] / path).exists()] == []

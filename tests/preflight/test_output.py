"""What preflight writes: SARIF that code review takes, JUnit, and patches that apply and fix."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from xml.etree import ElementTree

import pytest
from jsonschema.validators import validator_for
from test_examples import EXAMPLES, release_of

from preflight.cli import inspect
from preflight.output import as_junit, as_patch, as_sarif
from preflight.rules import catalogue

FIXABLE = ("GP104", "GP201", "GP202", "GP209", "GP302", "GP601", "GP602", "GP619")


@pytest.fixture(scope="module")
def sarif() -> dict[str, Any]:
    """SARIF of every failing example."""
    files, findings = inspect([EXAMPLES])
    made: dict[str, Any] = json.loads(as_sarif(findings, files))
    return made


def test_sarif_has_what_the_standard_asks_for(sarif: dict[str, Any]):
    """SARIF names its version, its schema and each rule once, with a link."""
    assert sarif["version"] == "2.1.0"
    assert urlparse(sarif["$schema"]).path.endswith("sarif-schema-2.1.0.json")
    (run,) = sarif["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"]
    assert len({rule["id"] for rule in driver["rules"]}) == len(driver["rules"]) >= len(catalogue())
    for rule in driver["rules"]:
        assert rule["shortDescription"]["text"]
        assert urlparse(rule["helpUri"]).scheme == "https"


def test_sarif_is_valid_by_its_schema(sarif: dict[str, Any], tmp_path: Path):
    """SARIF follows the standard's own schema, with findings and with files that were not judged."""
    schema = json.loads((Path(__file__).parent / "sarif-schema-2.1.0.json").read_text(encoding="utf-8"))
    validate = validator_for(schema)(schema)
    (tmp_path / "x.tf").write_text("pci_passthrough\n")
    files, findings = inspect([tmp_path])

    assert list(validate.iter_errors(sarif)) == []
    assert list(validate.iter_errors(json.loads(as_sarif(findings, files)))) == []
    assert list(validate.iter_errors({**sarif, "version": "2.0"})) != []


def test_every_sarif_result_points_to_its_rule_and_location(sarif: dict[str, Any]):
    """Each SARIF result has its rule, level, message and position."""
    (run,) = sarif["runs"]
    rules = run["tool"]["driver"]["rules"]

    assert len(run["results"]) > 100
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("none", "note", "warning", "error")
        assert result["message"]["text"]
        (location,) = result["locations"]
        location = location["physicalLocation"]
        assert not location["artifactLocation"]["uri"].startswith("/")
        assert location["region"]["startLine"] >= 1
        assert location["region"]["startColumn"] >= 1


def test_junit_has_one_case_for_each_rule():
    """JUnit has one case for each rule and counts the failed ones."""
    files, findings = inspect([EXAMPLES / "GP201" / "bad"], "queens")

    suite = ElementTree.fromstring(as_junit(findings, files))  # noqa: S314

    failed = [case.get("name", "").split()[0] for case in suite if case.find("failure") is not None]
    assert "GP201" in failed
    assert int(suite.get("tests", "0")) == len(catalogue())
    assert int(suite.get("failures", "0")) == len(failed)


@pytest.mark.parametrize("code", FIXABLE)
def test_the_patch_applies_the_fix_and_changes_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str):
    """`git apply` takes the patch, which removes the finding and changes only its lines."""
    shutil.copytree(EXAMPLES / code / "bad", tmp_path / "files")
    monkeypatch.chdir(tmp_path)
    before = {finding.code for finding in inspect([Path("files")], release_of(code))[1]}
    findings = [finding for finding in inspect([Path("files")], release_of(code))[1] if finding.code == code]
    texts = {path: path.read_text().splitlines() for path in Path("files").rglob("*") if path.is_file()}

    patch = as_patch(findings)
    subprocess.run(["git", "apply", "-"], input=patch, text=True, check=True, cwd=tmp_path)

    after = {finding.code for finding in inspect([Path("files")], release_of(code))[1]}
    assert code in before - after
    assert after <= before
    changed = [
        (path, number)
        for path, lines in texts.items()
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if line != lines[number - 1]
    ]
    assert set(changed) == {(finding.location.path, finding.location.line) for finding in findings}


def test_every_fix_is_tested():
    """Each rule that offers a fix is among those whose patch is tested."""
    codes = {
        finding.code
        for rule in catalogue()
        for finding in inspect([EXAMPLES / rule.code / "bad"], release_of(rule.code))[1]
        if finding.fix is not None
    }

    assert codes == set(FIXABLE)

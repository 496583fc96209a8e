"""Whatever lies in a directory, preflight answers: with findings or a clear message, never with a traceback."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_examples import EXAMPLES

from preflight import rules, shellcheck
from preflight.cli import FORMATS, inspect
from preflight.deployment import Deployment
from preflight.file_set import read

REPOSITORY = Path(__file__).resolve().parents[2]
NAMES = (
    "env.yaml",
    "stack.yml",
    "deploy.sh",
    "nova.conf",
    "overcloudrc",
    "instackenv.json",
    "roles_data.yaml",
    "key.pem",
)
TEXTS = sorted(path.read_text(encoding="utf-8") for path in EXAMPLES.glob("*/bad/**/*") if path.is_file())
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def findings_of(files: dict[str, bytes]) -> list[str]:
    """Codes over these files, every output written; shellcheck is left out, it has its own tests."""
    with tempfile.TemporaryDirectory() as folder:
        for name, data in files.items():
            Path(folder, name).write_bytes(data)
        read_files = read([Path(folder)])
        found = list(rules.check(Deployment(read_files, "queens")))
        for write in FORMATS.values():
            write(found, read_files).encode("utf-8")
        return [finding.code for finding in found]


@quick
@given(st.dictionaries(st.sampled_from(NAMES), st.binary(max_size=400), max_size=4))
def test_any_bytes_are_read(files: dict[str, bytes]):
    """Any bytes in any kind of file give findings, never an exception."""
    findings_of(files)


@quick
@given(st.data())
def test_damaged_files_are_read(data: st.DataObject):
    """A damaged file gives findings, never an exception."""
    text = data.draw(st.sampled_from(TEXTS))
    start = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 40))
    put_in = data.draw(
        st.text(max_size=12) | st.sampled_from(["{", "[", "*a", "&a [*a]", "\\ud800", "!!python/x ", "- ", ": "])
    )
    damaged = text[:start] + put_in + text[start + length :]

    findings_of({data.draw(st.sampled_from(NAMES)): damaged.encode("utf-8", "replace")})


def test_aliases_that_multiply_are_a_finding():
    """YAML aliases that grow exponentially are refused as GP101."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]

    assert findings_of({"env.yaml": ("parameter_defaults:\n  " + "\n  ".join(lines)).encode()}) == ["GP101"]


def test_an_alias_inside_its_own_anchor_is_a_finding():
    """A recursive YAML alias is refused as GP101."""
    assert findings_of({"env.yaml": b"parameter_defaults: &a\n  NovaPCIPassthrough: *a\n"}) == ["GP101"]


@pytest.mark.parametrize("nested", ["[", "{ ", "{a: ", "- ", "? "], ids=repr)
@pytest.mark.parametrize("levels", [5_000, 200_000])
def test_deep_nesting_is_a_finding(nested: str, levels: int):
    """Thousands of nested collections are refused as GP101; libyaml's stack, overflown, would end the process."""
    assert findings_of({"env.yaml": f"parameter_defaults:\n  {nested * levels}".encode()}) == ["GP101"]


def test_a_value_of_deep_json_is_a_finding():
    """JSON that nobody can read is told like JSON that is none."""
    assert findings_of({"nova.conf": b"[pci]\nalias = " + b"[" * 200_000 + b"1"}) == ["GP227"]


PATTERNS = sorted([*(REPOSITORY / "preflight").rglob("*.py"), *(REPOSITORY / "probes").rglob("*.py")])


@pytest.mark.parametrize("file", PATTERNS, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_no_pattern_skips_blank_lines_again_at_each_of_them(file: Path):
    """`^` and any white space take a file's blank lines squared: a log of 2 MB held everything up for minutes."""
    assert r"^\s*" not in file.read_text(encoding="utf-8")
    assert r"{,])\s*" not in file.read_text(encoding="utf-8")


def test_a_huge_file_is_a_finding():
    """A file of several megabytes is refused as GP101."""
    assert findings_of({"env.yaml": b"parameter_defaults: {}\n" + b"#" * 3_000_000}) == ["GP101"]


def test_other_encodings_are_a_finding():
    """A file that is not UTF-8 is refused as GP101."""
    assert findings_of({"env.yaml": "parameter_defaults: {}".encode("utf-16")}) == ["GP101"]


def test_an_unreadable_file_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A file without read permission is a finding that says so."""
    (tmp_path / "env.yaml").write_text("parameter_defaults: {}\n")

    def refused(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refused)

    (finding,) = inspect([tmp_path])[1]
    assert (finding.code, finding.why) == ("GP101", "Permission denied")


def test_links_in_a_circle_and_pipes_are_passed_over(tmp_path: Path):
    """Circular links and named pipes are left out, other files are read."""
    (tmp_path / "a.yaml").symlink_to(tmp_path / "b.yaml")
    (tmp_path / "b.yaml").symlink_to(tmp_path / "a.yaml")
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "up").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "env.yaml").write_text("parameter_defaults: {}\n")

    files, findings = inspect([tmp_path])

    assert [path.name for path in files.texts] == ["env.yaml"]
    assert findings == []


def test_control_characters_do_not_reach_the_terminal():
    """Control characters of a file are not printed."""
    text = 'parameter_defaults:\n  NovaPCIPassthrough:\n    - {vendor_id: "10de", product_id: "\\e[2J\\u0007"}\n'
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "env.yaml").write_text(text)
        files, findings = inspect([Path(folder)])

        shown = "".join(write(findings, files) for write in FORMATS.values())

    assert "GP202" in shown
    assert "\x1b" not in shown
    assert "\x07" not in shown


def test_json_output_is_json_for_every_example():
    """The JSON of all examples together has each finding."""
    files, findings = inspect([EXAMPLES])

    assert len(json.loads(FORMATS["json"](findings, files))["findings"]) == len(findings)


def test_without_shellcheck_the_rest_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Without shellcheck its findings are missing and nothing else fails."""
    (tmp_path / "a.sh").write_text("#!/bin/bash\nif [ 1 ]\n")
    with_it = [finding.code for finding in inspect([tmp_path])[1]]
    monkeypatch.setattr(shutil, "which", lambda name: None)

    assert any(code.startswith("SC") for code in with_it)
    assert inspect([tmp_path])[1] == []
    assert "shellcheck is not installed" in shellcheck.unread(*inspect([tmp_path]))


def test_a_shellcheck_that_breaks_down_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What it prints instead of findings does not pass for none."""
    program = tmp_path / "bin/shellcheck"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'shellcheck: internal error'\nexit 4\n")
    program.chmod(0o755)
    (tmp_path / "files").mkdir()
    (tmp_path / "files/a.sh").write_text("#!/bin/bash\ntrue\n")
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")

    files, (found,) = inspect([tmp_path / "files"])

    assert (found.code, found.severity) == (shellcheck.NO_ANSWER.code, shellcheck.NO_ANSWER.severity)
    assert "internal error" in shellcheck.unread(files, [found])


def test_scripts_that_were_read_are_not_told_as_unread(tmp_path: Path):
    """Neither a script with a mistake, nor a folder without any script."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/a.yaml").write_text("parameter_defaults: {}\n")
    (tmp_path / "a.sh").write_text("#!/bin/bash\nif [ 1 ]\n")

    assert shellcheck.unread(*inspect([tmp_path])) == ""
    assert shellcheck.unread(*inspect([tmp_path / "empty"])) == ""


def test_who_is_interrupted_leaves_no_shellcheck_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An interruption while shellcheck runs ends it, too, and removes what it was given."""
    (tmp_path / "install.sh").write_text("#!/bin/sh\necho hello\n")
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/shellcheck"
    program.write_text(f"#!/bin/sh\necho $$ $* > {tmp_path}/started\nexec sleep 600\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)

    def interrupted(deployment: Deployment) -> None:
        while not (tmp_path / "started").exists() or not (tmp_path / "started").read_text().endswith("\n"):
            os.sched_yield()
        raise KeyboardInterrupt

    monkeypatch.setattr(rules, "check", interrupted)

    with pytest.raises(KeyboardInterrupt):
        inspect([tmp_path])

    number, *_, copy = (tmp_path / "started").read_text().split()
    with pytest.raises(ProcessLookupError):
        os.kill(int(number), 0)
    assert not Path(copy).exists()


def test_a_line_of_a_payload_keeps_shellcheck_from_no_other_script(tmp_path: Path):
    """A script with 200 kB in one line is not given to shellcheck; what is wrong in the others is found."""
    (tmp_path / "payload.sh").write_text("#!/bin/bash\necho " + "yum install " * 20_000 + "\n")
    (tmp_path / "broken.sh").write_text("#!/bin/bash\nif true; then\n  echo\n")

    found = inspect([tmp_path])[1]

    assert {finding.location.path.name for finding in found if finding.code.startswith("SC")} == {"broken.sh"}

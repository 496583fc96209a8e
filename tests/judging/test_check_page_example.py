"""The example of docs/contributing/check.md runs, and its record says what the page promises."""

from __future__ import annotations

import re
from pathlib import Path

from suite_runner import REPOSITORY, run_checks

PAGE = REPOSITORY / "docs/contributing/check.md"


def test_the_example_ends_in_its_cause(tmp_path: Path) -> None:
    """It fails with the cause that it names, the fix of the data, and its command as evidence."""
    code, (record,) = run_checks(tmp_path, "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)))

    assert code == 1
    assert (record["id"], record["verdict"], record["cause"]) == ("host.iommu.cmdline", "failed", "not-rebooted")
    assert (record["fix"], record["file"], record["fact"]) == (
        "reboot the host",
        "/proc/cmdline",
        "/proc/cmdline has the argument.",
    )
    assert [item["host"] for item in record["evidence"]] == ["compute-0"]

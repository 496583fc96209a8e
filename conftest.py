"""Loads the acceptance's plugins when suites are run; the project's own tests do without them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).parent
sys.path[:0] = [path for path in (str(ROOT / "fixtures"), str(ROOT)) if path not in sys.path]

from access import interruption  # noqa: E402  # the path is known from here on

interruption.told_shortly()


def _runs_suites(arguments: list[str]) -> bool:
    paths = [Path(word.split("::")[0]) for word in arguments if not word.startswith("-")]
    return any(path.exists() and (ROOT / "suites") in [path.resolve(), *path.resolve().parents] for path in paths)


if "PYTEST_XDIST_WORKER" not in os.environ:
    os.environ["GPU_ACCEPTANCE"] = "1" if _runs_suites(sys.argv[1:]) else ""  # workers of xdist inherit it
if os.environ.get("GPU_ACCEPTANCE"):
    pytest_plugins = [
        "cloud_fixtures",
        "limit_fixtures",
        "record_fixtures",
        "provisioning_fixtures",
        "card_fixtures",
        "host_fixtures",
        "configuration_fixtures",
        "lifecycle_fixtures",
        "nova_fixtures",
        "preflight_fixtures",
    ]
    if "PYTEST_XDIST_WORKER" not in os.environ:  # what is made of the merged records: a worker would import it in vain
        pytest_plugins += ["report_fixtures", "history_fixtures", "junit_fixtures"]

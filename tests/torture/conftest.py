"""`make torture`: many damaged inputs, and kills at random moments of a run. Figures: docs/reliability.md.

Without --kills no lab is started, and without --hypothesis-profile torture few examples are tried: that is `make unit`.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

TESTS = Path(__file__).resolve().parents[1]
sys.path += [str(TESTS / name) for name in ("system", "reports", "probes")]
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
settings.register_profile(
    "torture",
    max_examples=int(os.environ.get("TORTURE_EXAMPLES", "1000")),
    deadline=None,
    suppress_health_check=SLOW,
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """How many kills, how late, and which."""
    group = parser.getgroup("torture")
    group.addoption("--kills", type=int, default=0, help="kill so many runs of a lab (default 0: none)")
    group.addoption("--kills-within", type=float, default=60.0, help="seconds after its start, at most (default 60)")
    group.addoption("--kills-seed", type=int, default=0, help="the same seed kills at the same moments")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each kill, at its moment."""
    if "moment_s" not in metafunc.fixturenames:
        return
    option = metafunc.config.getoption
    count, within = option("--kills", default=0), option("--kills-within", default=60.0)
    chance = random.Random(option("--kills-seed", default=0))  # noqa: S311  the same moments for the same seed
    moments = sorted(round(chance.uniform(0.5, within), 2) for _ in range(count or 0))
    metafunc.parametrize("moment_s", moments, ids=[f"{moment}s" for moment in moments])

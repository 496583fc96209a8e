"""A cloud of three hundred more hosts than anybody looks at."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

COUNT = 300


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, Any, Any]:
    """Declare them when all tests have run, before anything is said at the end: as if their results had been lost."""
    result = yield
    from record_fixtures import RECORDER

    found = session.config.stash.get(RECORDER, None)
    if found is not None:
        model = found.cloud.gpu_hosts[0]
        silent = tuple(model.model_copy(update={"name": f"silent-{number}"}) for number in range(COUNT))
        found.cloud = found.cloud.model_copy(update={"hosts": (*found.cloud.hosts, *silent)})
    return result

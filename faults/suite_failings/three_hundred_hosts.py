"""A cloud of three hundred more hosts than anybody looks at."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

COUNT = 300


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, Any, Any]:
    """Declare them when all tests have run: as if their results had been lost."""
    recorder = session.config.pluginmanager.getplugin("acceptance")
    from record_fixtures import RECORDER

    found = session.config.stash.get(RECORDER, None)
    if recorder is not None and found is not None:
        model = found.cloud.gpu_hosts[0]
        silent = tuple(model.model_copy(update={"name": f"silent-{number}"}) for number in range(COUNT))
        found.cloud = found.cloud.model_copy(update={"hosts": (*found.cloud.hosts, *silent)})
    return (yield)

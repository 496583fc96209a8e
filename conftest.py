"""Brings the acceptance's plugin where it is not installed; without --cloud or a path in suites/ it does nothing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

PLUGIN = "gpu_acceptance.plugin"
if (ROOT := str(Path(__file__).parent)) not in sys.path:
    sys.path.insert(0, ROOT)

from access import interruption  # noqa: E402  # the path is known from here on

interruption.told_shortly()


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Load it by its name, that of its entry point: an installed one is there already."""
    pluginmanager.import_plugin(PLUGIN)
    plugin: Any = pluginmanager.get_plugin(PLUGIN)
    plugin.begin_late(parser, pluginmanager)

"""The pytest plugin: with `--cloud NAME`, or for tests of suites/, pytest judges a cloud; otherwise it does nothing.

It stands in every environment that the acceptance is installed in, so it imports what it needs when it is needed.
"""

from __future__ import annotations

import copy
import os
import re
import shlex
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from gpu_acceptance.home import HOME, SUITES

FIXTURES = (
    "cloud_fixtures",
    "limit_fixtures",
    "record_fixtures",
    "provisioning_fixtures",
    "card_fixtures",
    "gathering_fixtures",
    "host_fixtures",
    "level_fixtures",
    "configuration_fixtures",
    "lifecycle_fixtures",
    "nova_fixtures",
    "preflight_fixtures",
)
OF_THE_WHOLE_RUN = ("report_fixtures", "history_fixtures", "junit_fixtures")
"""What is made of the merged records: a worker of xdist would import it in vain."""
MARKER = (
    "check(id, rests_on=(), source='', api=False, alone=False, cards=0): a check's stable id, what it rests on, "
    "and the least number of cards of the instance that it looks at"
)
FILTERED = (
    # openstacksdk tells itself of its own old ways with every call; nothing of ours can change that
    "Support for InfluxDB",
    "The 'service_type' parameter",
    "The ignore_missing parameter",
    "The _compute_attributes method",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The one option that is always there; with a cloud it brings the others."""
    parser.getgroup("acceptance").addoption(
        "--cloud",
        default=None,
        metavar="NAME",
        help="judge this cloud: clouds/NAME.yaml or the path of a cloud file (lab: the embedded one); "
        "--cloud NAME --help has the other options",
    )


def begin_late(parser: pytest.Parser, manager: pytest.PytestPluginManager) -> None:
    """The hook below, for a conftest.py that brings this plugin: it is loaded when that hook is past."""
    config: Any = manager.get_plugin("pytestconfig")
    words = [*shlex.split(os.environ.get("PYTEST_ADDOPTS", "")), *config.invocation_params.args]
    _begin(manager, parser.parse_known_args(words, namespace=copy.copy(config.option)), config.invocation_params.dir)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Options are known in part, nothing is collected: the moment to bring more of them."""
    _begin(early_config.pluginmanager, early_config.known_args_namespace, early_config.invocation_params.dir)


def _begin(manager: pytest.PytestPluginManager, options: Any, folder: Path) -> None:
    """Load the fixtures where a cloud is to be judged.

    Somebody who has loaded some of them with `-p` has chosen, and gets no others.
    """
    given = list(getattr(options, "file_or_dir", None) or ())
    if manager.has_plugin("cloud_fixtures") or not (getattr(options, "cloud", None) or _are_suites(given, folder)):
        return
    _load(manager)


def _are_suites(given: Iterable[str], folder: Path) -> bool:
    """Whether pytest was given tests of the suites; without --cloud they judge the embedded lab."""
    paths = [folder / word.split("::")[0] for word in given] or [folder]
    return any(SUITES in (found, *found.parents) for path in paths if (found := path.resolve()).exists())


def _load(manager: pytest.PytestPluginManager) -> None:
    from gpu_acceptance.home import NameTaken, open_rooms

    is_worker = "PYTEST_XDIST_WORKER" in os.environ
    try:
        open_rooms()
        for name in (*FIXTURES, *(() if is_worker else OF_THE_WHOLE_RUN)):
            manager.import_plugin(name)
    except NameTaken as error:
        raise pytest.UsageError(str(error)) from None
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: nothing was begun\n")
        raise SystemExit(int(pytest.ExitCode.INTERRUPTED)) from None


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """The marker is known in any case; a run without a path is one of the suites."""
    config.addinivalue_line("markers", MARKER)
    if not config.pluginmanager.has_plugin("cloud_fixtures"):
        return
    for line in FILTERED:
        config.addinivalue_line("filterwarnings", f"ignore:{line}")  # in tests
        warnings.filterwarnings("ignore", message=re.escape(line))  # and in the clean-up after them
    if _names_nothing(config):
        config.args = [str(SUITES)]
        config.args_source = pytest.Config.ArgsSource.ARGS
    _warn_of_hidden_packages(config)


def _names_nothing(config: pytest.Config) -> bool:
    """Whether neither the command nor the user's own configuration says which tests to run."""
    source, names = config.args_source, pytest.Config.ArgsSource
    if source is names.TESTPATHS:
        return config.rootpath == HOME  # our own pytest.ini means our own tests
    here = config.invocation_params.dir.resolve()
    return source is names.INVOCATION_DIR and SUITES not in (here, *here.parents)


def _warn_of_hidden_packages(config: pytest.Config) -> None:
    from gpu_acceptance.home import others_of_a_rooms_name

    for place in others_of_a_rooms_name([config.rootpath, config.invocation_params.dir]):
        config.issue_config_time_warning(
            pytest.PytestConfigWarning(f"{place} is hidden: the acceptance has a package of the same name"),
            stacklevel=2,
        )


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """A test of the suites has the same id wherever they are installed: records of two machines can be compared."""
    if SUITES not in module_path.parents:
        return None
    made: pytest.Module = pytest.Module.from_parent(
        parent, path=module_path, nodeid=module_path.relative_to(HOME).as_posix()
    )
    return made

"""Runs the suites' own tests against doubles, with the real fixtures, probes and records.

A proof is a healthy model with one method replaced. It proves a check when the healthy model passes that check and the
altered one fails it with the cause that the proof names.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import json
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import pytest
import yaml
from cloud_fixtures import cloud_of
from deployment import Deployment
from lifecycle_fixtures import OtherTenant
from model_api import Connection
from model_cloud import ModelCloud
from model_hosts import ModelHosts
from preflight_fixtures import Preflight
from record_fixtures import leave_out

import provisioning
from access.waiting import wait_for
from cloud_file.cloud import Cloud
from provisioning.environment import Environment
from provisioning.scenario.card_traces import Traces

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = (
    "cloud_fixtures",
    "record_fixtures",
    "host_fixtures",
    "configuration_fixtures",
    "lifecycle_fixtures",
    "nova_fixtures",
    "preflight_fixtures",
)
"""All fixtures of the acceptance but those of provisioning, cards' identity and reports: doubles stand for them."""
QUIET = (
    *("terminal", "cacheprovider", "html", "metadata", "xdist", "faulthandler", "hypothesispytest"),
    "unraisableexception",  # collects garbage five times at each end
)
"""Plugins that this needs not, and that are slow to begin."""
OPTIONS = (
    *("-c", str(ROOT / "pytest.ini"), "--rootdir", str(ROOT), "-o", "addopts="),
    *("--import-mode=importlib", "--capture=no"),
    *("--keep", "--lifecycle", "--disruptive"),
)
Subject = ModelCloud | Deployment
Kind = TypeVar("Kind", bound=type[Subject])


@dataclass(frozen=True)
class Proof:
    """A broken cloud, and what its check must say of it."""

    check: str
    cause: str
    broken: type[Subject]

    @property
    def healthy(self) -> type[Subject]:
        """The same without the alteration."""
        return self.broken.__bases__[0]

    @property
    def altered(self) -> list[str]:
        """Names that it replaces."""
        return [name for name in vars(self.broken) if not name.startswith("__")]


@dataclass(frozen=True)
class Judged:
    """The end of one test of a suite, as its record has it."""

    check: str
    place: str
    verdict: str
    cause: str
    message: str


PROOFS: list[Proof] = []


def proves(check: str, cause: str) -> Callable[[Kind], Kind]:
    """Register a broken cloud that a check must reject with a cause."""

    def register(broken: Kind) -> Kind:
        PROOFS.append(Proof(check, cause, broken))
        return broken

    return register


class Doubles:
    """The fixtures of one run: everything that would reach a cloud. Only the tests of `checks` are run."""

    def __init__(self, subject: Subject, checks: frozenset[str]) -> None:
        self._deployment = subject if isinstance(subject, Deployment) else Deployment(subject)
        self._model = self._deployment.model
        self._checks = checks

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out the other checks."""
        markers = {item: item.get_closest_marker("check") for item in items}
        others = [item for item, mark in markers.items() if mark is None or mark.args[0] not in self._checks]
        leave_out(config, others, "")
        items[:] = [item for item in items if item not in others]

    @pytest.fixture(autouse=True)
    def no_waiting(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Waiting moves a clock and takes no time."""
        now = [0.0]

        def sleep(seconds: float) -> None:
            now[0] += seconds

        waiting = functools.partial(wait_for, clock=lambda: now[0], sleep=sleep)
        for module in _modules_that_wait():
            monkeypatch.setattr(module, "wait_for", waiting)

    @pytest.fixture(scope="session")
    def cloud(self, pytestconfig: pytest.Config) -> Cloud:
        """The cloud file's content; no lab is started."""
        return cloud_of(pytestconfig)

    @pytest.fixture(scope="session")
    def environment(self) -> Environment:
        """What provisioning left."""
        return self._deployment.environment()

    @pytest.fixture(scope="session")
    def hosts(self, cloud: Cloud) -> ModelHosts:
        """Machines that answer without a connection."""
        others = self._deployment.machines()
        is_lifecycle = any(check.startswith(("lifecycle.", "tenants.")) for check in self._checks)
        return ModelHosts(cloud, self._model, others if is_lifecycle else others | self._deployment.host_machines())

    @pytest.fixture(scope="session")
    def admin(self) -> Connection:
        """The administrator's connection."""
        return Connection(self._model, "admin")

    @pytest.fixture(scope="session")
    def tenant(self) -> Connection:
        """The tenant's connection."""
        return Connection(self._model, "tenant")

    @pytest.fixture(scope="session")
    def other_tenant(self) -> OtherTenant:
        """Somebody else."""
        return OtherTenant(Connection(self._model, "other"), "other")

    @pytest.fixture
    def traces(self) -> Traces:
        """What one tenant leaves for the next."""
        return self._model.traces()

    @pytest.fixture
    def gathered(self) -> None:
        """Machines of a model answer one question at a time."""

    @pytest.fixture
    def host_cards(self) -> None:
        """Which physical cards they are decides no verdict."""

    @pytest.fixture
    def guest_cards(self) -> None:
        """The same for those of an instance."""

    @pytest.fixture(scope="session")
    def preflight(self) -> Preflight:
        """What is wrong with the files."""
        unread = self._deployment.unread_scripts()
        return Preflight(("overcloud-deploy.sh",), self._deployment.findings(), 0.0, "1 script", unread)


class _AfterThePlugins:
    """Registers the doubles when the acceptance's fixtures are there: the last of one name wins."""

    def __init__(self, doubles: Doubles) -> None:
        self._doubles = doubles

    def pytest_configure(self, config: pytest.Config) -> None:
        config.pluginmanager.register(self._doubles, "doubles")


@functools.cache
def _modules_that_wait() -> tuple[Any, ...]:
    names = [module.name for module in pkgutil.walk_packages(provisioning.__path__, "provisioning.")]
    modules = [importlib.import_module(name) for name in names if not name.endswith("__main__")]
    return tuple(module for module in modules if hasattr(module, "wait_for"))


def judge(subject: Subject, *checks: str) -> list[Judged]:
    """Run the suites' tests of these checks against a subject; the verdicts are those of the run's records."""
    with TemporaryDirectory(prefix="proof-") as name:
        folder = Path(name)
        content = yaml.safe_load((ROOT / "clouds/lab.yaml").read_text(encoding="utf-8"))
        (folder / "model.yaml").write_text(yaml.safe_dump(content | {"runs_directory": str(folder / "runs")}))
        (folder / "runs").mkdir()
        plugins = [word for name in (*PLUGINS, *(f"no:{name}" for name in QUIET)) for word in ("-p", name)]
        where = ["--cloud", str(folder / "model.yaml"), "--run-dir", str(folder / "run")]
        words = [*map(str, _files_of(checks)), *OPTIONS, *plugins, *where]
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = pytest.main(words, plugins=[_AfterThePlugins(Doubles(subject, frozenset(checks)))])
        records = folder / "run/records.jsonl"
        assert records.exists(), f"pytest ended with {code}: {said.getvalue()}"
        return list(_judged(records))


def _judged(records: Path) -> Iterator[Judged]:
    for line in records.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if record["kind"] == "check":
            yield Judged(record["id"], record["place"], record["verdict"], record["cause"], record["message"])


def _files_of(checks: tuple[str, ...]) -> list[Path]:
    """Suites that name one of the checks."""
    texts = {file: file.read_text(encoding="utf-8") for file in sorted((ROOT / "suites").rglob("test_*.py"))}
    return [file for file, text in texts.items() if any(_is_named(check, text) for check in checks)]


def _is_named(check: str, text: str) -> bool:
    """Written out, or made from a list: the groups of preflight's rules."""
    return f'"{check}"' in text or (check.startswith("preflight.") and 'f"preflight.{' in text)

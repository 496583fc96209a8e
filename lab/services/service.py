"""What a lab must know of one OpenStack project. Each file of `lab/services/projects/` defines one as `SERVICE`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lab.services.configuration import Sections
from lab.state import LabState

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


@dataclass(frozen=True)
class Endpoint:
    """The entry of a service in Keystone's catalog."""

    kind: str
    """Service type, e.g. "compute"."""
    path: str = ""
    """What follows the port in the URL."""


def _no_configuration(state: LabState) -> dict[str, Sections]:
    return {}


def _none_missing(state: LabState, processes: Iterable[str], since: float) -> list[str]:
    return []


@dataclass(frozen=True)
class Service:
    """One service: how it is configured, what its databases hold, how its processes run.

    OpenStack itself is imported inside the functions only: the registry imports every file of the folder.
    """

    name: str
    """Its user in Keystone, its parent process, its name for `python -m lab.services.schema`."""
    port: int
    """TCP port of its API on the controller's address."""
    api: str
    """The process that answers HTTP; log and pid file are called like it."""
    application: Callable[[LabState], WSGIApplication]
    """Loads the API's WSGI application; called in the process `api`."""

    other_processes: Callable[[LabState], tuple[str, ...]] = lambda state: ()
    """Processes besides the API, in the order of their start, e.g. ("heat-engine",)."""
    run: Callable[[LabState, str], None] | None = None
    """Runs one of the other processes, given by name, until SIGTERM."""
    preloaded: tuple[str, ...] = ()
    """Modules that the processes share, imported in this order before they are forked."""
    not_ready: Callable[[LabState, Iterable[str], float], list[str]] = _none_missing
    """Which of the processes, started at a time in seconds since the epoch, have not reported since."""

    configuration: Callable[[LabState], dict[str, Sections]] = _no_configuration
    """Content of its files below the lab's `etc`, by file name."""

    databases: Mapping[str, str] = field(default_factory=dict)
    """File of each database, without `.db`, by the name that clients of MySQL use for it."""
    create_databases: Callable[[LabState, tuple[Service, ...]], None] | None = None
    """Fills the databases; it is given all services. Needed where there are databases."""
    is_schema_only: bool = False
    """Whether its new databases are the same in every lab, so that a copy of another lab's will do."""

    endpoint: Endpoint | None = None
    """Its entry in the catalog; Keystone enters itself."""
    has_user: bool = True
    """Whether Keystone gets a user with its name in the project `service`."""
    start_order: int = 100
    """Lower numbers start first: give the slowest the lowest."""

    def processes(self, state: LabState) -> tuple[str, ...]:
        """All its processes, the API last."""
        return (*self.other_processes(state), self.api)

    def url(self, state: LabState) -> str:
        """Where its API answers, e.g. http://127.100.0.10:5000."""
        return state.api_url(self.port)


def as_application(found: Any) -> WSGIApplication:
    """Type what an untyped OpenStack module calls its application."""
    application: WSGIApplication = found
    return application

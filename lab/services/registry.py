"""Finds the services of a lab: every file of `lab/services/projects/` with a `SERVICE`."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from lab.errors import LabError
from lab.services import projects
from lab.services.service import Service


@cache
def services() -> tuple[Service, ...]:
    """All services, in the order in which they start."""
    modules = sorted(module.name for module in pkgutil.iter_modules(projects.__path__))
    found = [importlib.import_module(f"{projects.__name__}.{module}").SERVICE for module in modules]
    return tuple(sorted(found, key=lambda service: (service.start_order, service.name)))


def service_called(name: str) -> Service:
    """The service of this name.

    Raises:
        LabError: there is none.
    """
    for service in services():
        if service.name == name:
            return service
    raise LabError(f"no service called {name}; there are {', '.join(service.name for service in services())}")


def api_of(process: str) -> Service | None:
    """The service whose API a process is; None if it answers no HTTP."""
    return next((service for service in services() if service.api == process), None)

"""What a package manager answers to a question for packages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar


class Named(Protocol):
    """A package of any system."""

    @property
    def name(self) -> str:
        """Its name, without version and architecture."""


P = TypeVar("P", bound=Named)


@dataclass(frozen=True)
class PackageAnswer(Generic[P]):
    """What was found and what was not."""

    packages: tuple[P, ...]
    missing: tuple[str, ...]
    """Names that were asked for and that are not installed, or not known."""

    def named(self, name: str) -> tuple[P, ...]:
        """Packages of a name: one for each architecture; of a kernel there may be several versions."""
        return tuple(package for package in self.packages if package.name == name)

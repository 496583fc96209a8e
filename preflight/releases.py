"""Which release a set of files is for, and what each release knows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from access.data_files import read_data
from preflight.spelling import nearest

DATA = Path(__file__).parent / "data"
TRIPLEO_RELEASES = ("newton", "ocata", "pike", "queens", "rocky", "stein", "train", "ussuri", "victoria", "wallaby")
"""In the order in which they came; TripleO ended with Wallaby."""
RELEASES = (
    *TRIPLEO_RELEASES,
    *("xena", "yoga", "zed", "2023.1", "2023.2", "2024.1", "2024.2", "2025.1", "2025.2", "2026.1", "2026.2"),
)
NICKNAMES = {
    "antelope": "2023.1",
    "bobcat": "2023.2",
    "caracal": "2024.1",
    "dalmatian": "2024.2",
    "epoxy": "2025.1",
    "flamingo": "2025.2",
    "gazpacho": "2026.1",
}
NAME = re.compile(r"[a-z]+|20[2-9][0-9]\.[12](?![0-9])")

PLACEHOLDER = re.compile(r"\\\{\w+\\\}")


@dataclass(frozen=True)
class Lifetime:
    """The releases that know a name, first to last."""

    first: str
    last: str

    def covers(self, release: str | None) -> bool:
        """Whether `release` knows the name; an unknown release might."""
        if release not in RELEASES:
            return True
        return RELEASES.index(self.first) <= RELEASES.index(release) <= RELEASES.index(self.last)


@cache
def load_data(name: str) -> Any:
    """One file of the data folder."""
    return read_data(DATA / name)


@cache
def parameters() -> dict[str, Lifetime]:
    """Parameters that any TripleO release declares; `{role}` and `{network}` stand for names."""
    return {name: Lifetime(*span) for name, span in load_data("parameters.yaml")["parameters"].items()}


@cache
def _role_patterns() -> list[tuple[re.Pattern[str], Lifetime]]:
    return [
        (re.compile(PLACEHOLDER.sub("[A-Za-z0-9]+", re.escape(name)) + r"\Z"), lifetime)
        for name, lifetime in parameters().items()
        if "{" in name
    ]


@cache
def parameter_lifetimes(name: str) -> list[Lifetime]:
    """When a parameter is declared, by name or for a role; empty if no release knows it."""
    exact = parameters().get(name)
    found = [exact] if exact else []
    return found + [lifetime for pattern, lifetime in _role_patterns() if pattern.match(name)]


@cache
def nearest_parameter(name: str) -> str | None:
    """A known parameter that is spelled almost like `name`."""
    return nearest(name, (known for known in parameters() if "{" not in known))


def called(text: str) -> str | None:
    """The release that a name has in it, as in `ocata-gpu`, `stable/2025.1` and `jammy-caracal`."""
    words = [NICKNAMES.get(word, word) for word in NAME.findall(text.lower())]
    return next((release for release in RELEASES if release in words), None)

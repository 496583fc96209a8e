"""What all pages share: colours and type, escaping, and a policy under which nothing but their own parts is run."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from access.terminal import printable

TEMPLATES = Path(__file__).parent / "templates"


def environment(folder: Path) -> Environment:
    """Templates of a folder and the shared ones. Everything is escaped, a name that is not there is an error."""
    return Environment(
        loader=FileSystemLoader([folder, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )


def _visible(value: object) -> object:
    """Control characters as pictures; what is markup already was made so."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def hash_of(source: str) -> str:
    """As a Content-Security-Policy names an inline element that may be used: https://www.w3.org/TR/CSP3/."""
    return f"sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}"


def unit(name: str) -> str:
    """A unit as people write it: records say us."""
    return "µs" if name == "us" else name

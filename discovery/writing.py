"""Writes a draft as a cloud file that people can read: remarks, questions, one line for each entry."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from access.errors import InputError
from cloud_file.page import flow
from cloud_file.questions import CONTINUED, MARK
from discovery.draft import Draft

WIDTH = 116
ORDER = (
    "kind", "prefix", "openstack", "deployer", "nova", "overcloud_access", "hosts", "gpus", "aliases", "image",
    "flavors", "guests", "excused_cards", "tenant", "networks", "cuda",
)  # fmt: skip
TOGETHER = ("prefix",)
"""Keys that stand directly below the one before."""


def text(draft: Draft) -> str:
    """The whole file."""
    lines = [*_remarks(draft, ""), ""] if draft.notes.get("") or draft.questions.get("") else []
    keys = [*ORDER, *(key for key in draft.content if key not in ORDER)]
    for key in keys:
        block = [*_remarks(draft, key), *_value(draft, key)]
        if block:
            lines += block if key in TOGETHER or not lines or not lines[-1] else ["", *block]
    return "\n".join(lines).rstrip("\n") + "\n"


def _remarks(draft: Draft, key: str) -> Iterator[str]:
    for note in draft.notes.get(key, ()):
        yield from _wrapped("#", note)
    for question in draft.questions.get(key, ()):
        yield from _wrapped(MARK, question)


def _wrapped(mark: str, words: str) -> Iterator[str]:
    """A comment, whose further lines are indented so that they are no questions of their own."""
    line = mark
    for word in words.split():
        if len(line) + 1 + len(word) > WIDTH and line.strip() not in (mark, "#"):
            yield line
            line = CONTINUED if mark == MARK else "#  "
        line = f"{line} {word}" if not line.endswith("  ") else f"{line}{word}"
    yield line


def _value(draft: Draft, key: str) -> Iterator[str]:
    if key in draft.content:
        yield from _lines(key, draft.content[key])
    elif draft.examples.get(key) is not None:
        yield from (f"# {line}" for line in _lines(key, draft.examples[key]))


def _lines(key: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict) and value:
        yield f"{key}:"
        yield from (f"  {name}: {flow(each)}" for name, each in value.items())
    elif isinstance(value, list) and value:
        yield f"{key}:"
        yield from (f"  - {flow(each)}" for each in value)
    else:
        yield f"{key}: {flow(value)}"


def write(path: Path, content: str, *, force: bool) -> None:
    """Write the file at once or not at all; one that is there stays unless `force`.

    Raises:
        InputError: there is a file already, or it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, made = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(made, 0o644)
        if force:
            os.replace(made, path)
        else:
            os.link(made, path)  # fails where somebody wrote it meanwhile, too
    except FileExistsError:
        raise InputError(
            f"{path} is there already and stays as it is", remedy="name another one by --to, or --force"
        ) from None
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        Path(made).unlink(missing_ok=True)

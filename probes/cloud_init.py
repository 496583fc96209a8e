"""cloud-init status: whether the first boot's work is done, with --long or in JSON."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from access.errors import ParseError
from access.host import Host, failure_of
from probes.reading import bounded, transcript_of

TOOL = "cloud-init status"
COMMAND = "cloud-init status --long"
EXIT_CODES = {0, 1, 2}
"""0: done or running, 1: failed, 2: done with errors that could be recovered from."""
STATES = ("not run", "not started", "running", "done", "error", "disabled", "degraded")
EXTENDED = re.compile(
    r"(?:degraded |error - )?(?:not run|not started|running|done|error|disabled)|degraded (?:running|done)"
)
FIELD = re.compile(
    r"(status|extended_status|boot_status_code|last_update|time|detail|errors|recoverable_errors):\s*(.*)"
)
EMPTY = ("", "[]", "{}")


@dataclass(frozen=True)
class CloudInitStatus:
    """What cloud-init says of this boot."""

    status: str
    """E.g. "running", "done", "error", "disabled"."""
    extended_status: str | None
    """E.g. "degraded done" (23.4 and newer)."""
    detail: str | None
    """E.g. "DataSourceOpenStackLocal [net,ver=2]"; in older versions the error's text."""
    errors: tuple[str, ...]
    recoverable_errors: tuple[str, ...]
    """E.g. "WARNING: …" (23.4 and newer)."""
    last_update: str | None

    @property
    def is_done(self) -> bool:
        """Whether all is done, and nothing failed for good."""
        return self.status == "done" and not self.errors


def parse(text: str) -> CloudInitStatus:
    """Read the answer, with --long or without, with --wait's dots or without, or as JSON.

    Raises:
        ParseError: empty, no status, an unknown one, or a line of another shape.
    """
    if text.lstrip("\ufeff \t\r\n").startswith("{"):
        return _from_json(text)
    fields: dict[str, list[str]] = {}
    current = ""
    for number, line in enumerate(transcript_of(TOOL, text, "cloud-init"), start=1):
        shown = line.lstrip(".")
        if match := FIELD.fullmatch(shown):
            current = match[1]
            if current in fields:
                raise ParseError(TOOL, f"{current} twice", line=line, line_number=number)
            fields[current] = [match[2].strip()]
        elif current in ("detail", "errors", "recoverable_errors") and shown.strip():
            fields[current].append(shown.strip())
        elif shown.strip():
            raise ParseError(TOOL, "not a line that we know", line=line, line_number=number)
    errors = tuple(_items(fields.get("errors", [])))
    recoverable = tuple(_items(fields.get("recoverable_errors", [])))
    single = {name: " ".join(part for part in parts if part) or None for name, parts in fields.items()}
    return _checked(
        CloudInitStatus(
            single.get("status") or "",
            single.get("extended_status"),
            single.get("detail"),
            errors,
            recoverable,
            single.get("last_update") or single.get("time"),
        ),
        text,
    )


def _items(parts: list[str]) -> list[str]:
    """Members of a list that is printed as YAML, each with the level above it, e.g. "WARNING: …"."""
    found, level = [], ""
    for part in parts:
        if part in EMPTY:
            continue
        if part.endswith(":") and not part.startswith("-"):
            level = f"{part} "
        elif part.startswith("- "):
            found.append(level + part[2:].strip())
        elif found:
            found[-1] += f" {part}"
        else:
            found.append(part)
    return found


def _from_json(text: str) -> CloudInitStatus:
    try:
        data: Any = json.loads(bounded(TOOL, text).strip("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise ParseError(TOOL, f"no JSON: {str(error)[:120]}", line=text.strip()[-200:]) from error
    if not isinstance(data, dict) or not all(isinstance(data.get(key, []), list) for key in ("errors",)):
        raise ParseError(TOOL, "another shape", line=text[:200])
    recoverable = data.get("recoverable_errors") or {}
    if not isinstance(recoverable, dict) or not all(isinstance(members, list) for members in recoverable.values()):
        raise ParseError(TOOL, "recoverable_errors of another shape", line=str(recoverable)[:200])
    return _checked(
        CloudInitStatus(
            str(data.get("status") or ""),
            _text(data, "extended_status"),
            _text(data, "detail"),
            tuple(str(error) for error in data.get("errors", [])),
            tuple(f"{level}: {member}" for level, members in recoverable.items() for member in members),
            _text(data, "last_update"),
        ),
        text,
    )


def _text(data: dict[str, Any], name: str) -> str | None:
    return str(data[name]) if data.get(name) else None


def _checked(found: CloudInitStatus, text: str) -> CloudInitStatus:
    known = found.extended_status is None or EXTENDED.fullmatch(found.extended_status)
    if found.status not in STATES or not known:
        line = (
            f"status: {found.status}, extended_status: {found.extended_status}" if found.status else text.strip()[-200:]
        )
        raise ParseError(TOOL, "no status, or an unknown one", line=line)
    return found


def read(host: Host) -> CloudInitStatus:
    """The state of cloud-init on `host`, also when it failed (which makes its exit code 1 or 2).

    Raises:
        ToolMissing: there is no cloud-init.
        CommandError: another exit code.
    """
    output = host.run(COMMAND)
    if output.exit_code in EXIT_CODES and output.stdout.strip():
        return parse(output.stdout)
    raise failure_of(output, "cloud-init did not answer")

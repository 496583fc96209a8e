"""Loaded kernel modules, as lsmod prints them or as /proc/modules holds them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from access.errors import ParseError
from access.host import Host, output_of
from access.questions import Question
from probes.reading import transcript_of

HEADER = re.compile(r"\s*Module\s+Size\s+Used by\s*")
NAME = r"([A-Za-z0-9_]{1,64})"
ROW = re.compile(rf"\s*{NAME}\s+([0-9]{{1,12}})\s+(-?[0-9]{{1,9}}|-)(?:\s+([A-Za-z0-9_,\[\]]{{1,8000}}))?\s*")
PROC_ROW = re.compile(
    rf"\s*{NAME} ([0-9]{{1,12}}) (-?[0-9]{{1,9}}|-) ([A-Za-z0-9_,\[\]-]{{1,8000}}) (Live|Loading|Unloading) "
    r"0x[0-9a-f]{1,16}(?: \(([A-Z+-]{1,16})\))?"
)
COMMAND = "lsmod"
QUESTIONS = (Question(COMMAND),)


@dataclass(frozen=True)
class Module:
    """One loaded module."""

    name: str
    size_bytes: int
    use_count: int
    """Negative where the kernel cannot unload modules: it counts no users and names none."""
    used_by: tuple[str, ...]
    state: str | None = None
    """Live, Loading or Unloading; None in lsmod's answer."""
    taints: str | None = None
    """Letters such as POE (proprietary, out of tree, unsigned); None in lsmod's answer, or without."""

    @property
    def tells_users(self) -> bool:
        """Whether an empty `used_by` means that nothing uses it."""
        return self.use_count >= 0


def parse(text: str) -> dict[str, Module]:
    """Modules by name, from lsmod's answer (whole, or a part of its rows) or from /proc/modules.

    Raises:
        ParseError: a row of another shape, a module twice, or one that is used by a module that is not there.
    """
    lines = transcript_of("lsmod", text, "lsmod")
    numbered = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    is_whole = HEADER.fullmatch(numbered[0][1]) is not None
    found: dict[str, Module] = {}
    for number, line in numbered[1:] if is_whole else numbered:
        module = _module(line)
        if module is None or module.name in found:
            reason = "not a module" if module is None else "a module twice"
            raise ParseError("lsmod", reason, line=line, line_number=number)
        found[module.name] = module
    if not found:
        raise ParseError("lsmod", "no module", line=lines[-1], line_number=len(lines))
    if len({module.state is None for module in found.values()}) > 1:  # /proc/modules tells each one's state
        raise ParseError("lsmod", "cut off: a module without its state", line=lines[-1], line_number=len(lines))
    if is_whole:
        _known_users(found)
    return found


def _module(line: str) -> Module | None:
    """The row's module; None if it is none."""
    if match := PROC_ROW.fullmatch(line):
        name, size, count, users, state, taints = match.groups()
    elif match := ROW.fullmatch(line):
        name, size, count, users = match.groups()
        state = taints = None
    else:
        return None
    names = tuple(user for user in (users or "").split(",") if user not in ("", "-", "[permanent]"))
    uses = -1 if count == "-" else int(count)
    return Module(name, int(size), uses, names, state, taints) if uses < 0 or uses >= len(names) else None


def _known_users(found: dict[str, Module]) -> None:
    for module in found.values():
        unknown = [user for user in module.used_by if user not in found]
        if unknown:
            raise ParseError(
                "lsmod", f"{module.name} is used by {unknown[0]}, which is not loaded", line=", ".join(module.used_by)
            )


def read(host: Host) -> dict[str, Module]:
    """Modules that are loaded on `host`."""
    return parse(output_of(host, COMMAND).stdout)

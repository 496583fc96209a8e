"""What is different from the certificate before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from reports.certification.requirements import Decision, Judged


def changes_since(
    name: str, before: dict[str, Any], subject: dict[str, Any], judged: Sequence[Judged], decision: Decision
) -> Iterator[str]:
    """One line a difference; `before` is the certificate.json of the other one."""
    old = before["subject"]
    yield f"{name}, of {before['date']}: {before['decision']}, now {decision}"
    yield from _software(old["software"], subject["software"])
    yield from _servers(old["servers"], subject["servers"])
    yield from _cards(old["cards"], subject["cards"])
    for each in judged:
        status = before["requirements"].get(each.requirement.id, {}).get("status", "no such requirement")
        if status != each.status:
            yield f"{each.requirement.id}: {status}, now {each.status}"


def _software(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            yield f"{name}: {_text(old.get(name))}, now {_text(new.get(name))}"


def _servers(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> Iterator[str]:
    before, after = ({server["host"]: server for server in servers} for servers in (old, new))
    for host in sorted({*before, *after}):
        a, b = before.get(host, {}), after.get(host, {})
        for name in sorted({*a, *b} - {"host"}):
            if a.get(name) != b.get(name):
                yield f"{host}: {name} {_text(a.get(name))}, now {_text(b.get(name))}"


def _cards(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> Iterator[str]:
    before, after = ({card["uuid"] or card["serial"] for card in cards} for cards in (old, new))
    for gone in sorted(before - after):
        yield f"card {gone}: not there any more"
    for added in sorted(after - before):
        yield f"card {added}: new"


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "(none)"
    return str(value) if value not in (None, "") else "(not known)"

"""Value of the extra spec pci_passthrough:alias: which aliases a flavor asks for, and how many cards of each.

Nova reads "NAME:COUNT, NAME:COUNT" (nova/pci/request.py); before microversion 2.86 it stores any text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from access.errors import ParseError
from probes.reading import WHOLE, bounded

ALIAS = "pci_passthrough:alias"


def parse(spec: str) -> dict[str, int]:
    """Number of cards by alias: {"a1": 2, "a2": 1} of "a1:2,a2"; empty for "".

    Raises:
        ParseError: a count is no number.
    """
    counts: Counter[str] = Counter()
    for word in bounded(ALIAS, spec).split(","):
        name, _, count = (part.strip() for part in word.partition(":"))
        if not name and not count:
            continue
        if not WHOLE.fullmatch(count or "1"):
            raise ParseError(ALIAS, "a count is no number", line=spec)
        counts[name] += int(count or "1")
    return dict(counts)


def of_flavor(extra_specs: Mapping[str, str]) -> dict[str, int]:
    """Number of cards by alias; none for a text that Nova cannot read either, since it makes no instance of it."""
    try:
        return parse(str(extra_specs.get(ALIAS, "")))
    except ParseError:
        return {}

"""The same for many, side by side: what waits for one host waits for no other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Given = TypeVar("Given")
Found = TypeVar("Found")
AT_ONCE = 64
"""Threads of one run: logins of so many hosts fit into the time that one of them may take (CONNECT_TIMEOUT_S)."""


def each(do: Callable[[Given], Found], given: Iterable[Given], *, at_once: int = AT_ONCE) -> list[Found]:
    """What `do` gives for each, in the order of `given`; at most `at_once` at a time.

    Raises:
        What `do` raises for the first one that fails; those that have not begun are left.
    """
    items = list(given)
    if len(items) < 2:
        return [do(item) for item in items]
    pool = ThreadPoolExecutor(max_workers=min(at_once, len(items)))
    try:
        return list(pool.map(do, items))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # Ctrl-C waits for no host
